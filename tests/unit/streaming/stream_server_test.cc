// The stream server over a real unix socket, with a log of the test's own.

#include "core/streaming/stream_server.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/process/descriptors.h"
#include "core/streaming/event_log.h"
#include "core/streaming/peers.h"
#include "core/streaming/stream_request.h"
#include "tests/support/fcgi_peer.h"
#include "tests/support/gate.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"

using gp::Error;
using gp::ErrorKind;
using gp::RunId;
using gp::runlog::Cursor;
using gp::runlog::EndOutcome;
using gp::runlog::RunTail;
using gp::runlog::StoredEvent;
using gp::runlog::Sweep;
using gp::spool::CachedEvent;
using gp::spool::CachedTail;
using gp::streaming::EventLog;
using gp::streaming::Peer;
using gp::streaming::ReplayStore;
using gp::streaming::StreamOptions;
using gp::streaming::StreamServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const RunId kRun("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");

/// The log's content, shared with the reader's thread. While it is held, answers say what the log held when
/// it was read, and wait.
struct Content : support::Gate {
  std::mutex mutex;
  std::map<RunId, std::vector<StoredEvent>> runs;
  std::map<RunId, bool> ended;
  std::vector<RunId> rung;
  std::set<RunId> lost;  ///< their worker is gone
  bool is_away = false;
  bool can_end_lost = true;
  std::vector<gp::SteadyTime> ends;  ///< when it was asked to end a lost run
  bool are_projects_locked = false;
  milliseconds clock_ahead{0};  ///< the log's clock, of ours
  std::uint64_t connections = 1;
  int turns = 0;  ///< how often its reader made sure that it listens
  int reads = 0;
  int sweeps = 0;

  void append(const RunId& run, const std::string& data, const std::string& type = "section_started",
              bool rings = true) {
    const std::lock_guard lock(mutex);
    append_locked(run, data, type);
    if (rings) rung.push_back(run);
  }
  void finish(const RunId& run, const std::string& type = "run_completed") { append(run, "{}", type); }
  void append_locked(const RunId& run, const std::string& data, const std::string& type) {
    auto& events = runs[run];
    events.push_back({static_cast<std::int64_t>(events.size()) + 1, type, data});
    ended[run] = type == "run_completed" || type == "error";
  }
  void set_away(bool away) {
    const std::lock_guard lock(mutex);
    is_away = away;
    if (!away) ++connections;
  }
  int read_count() {
    const std::lock_guard lock(mutex);
    return reads;
  }
  int turn_count() {
    const std::lock_guard lock(mutex);
    return turns;
  }
};

class FakeLog : public EventLog {
 public:
  explicit FakeLog(Content& content) : content_(content) {}
  void ensure_listening() override {
    {
      const std::lock_guard lock(content_.mutex);
      ++content_.turns;
    }
    check();
  }
  std::uint64_t connections_made() const override {
    const std::lock_guard lock(content_.mutex);
    return content_.connections;
  }
  std::vector<RunTail> read(std::span<const Cursor> cursors, int limit) override {
    check();
    std::unique_lock lock(content_.mutex);
    ++content_.reads;
    std::vector<RunTail> tails;
    for (const Cursor& cursor : cursors) {
      RunTail tail;
      tail.run_id = cursor.run_id;
      if (const auto found = content_.runs.find(cursor.run_id); found != content_.runs.end()) {
        tail.standing =
            content_.ended.at(cursor.run_id) ? RunTail::Standing::kEnded : RunTail::Standing::kOpen;
        tail.last_id = static_cast<std::int64_t>(found->second.size());
        for (const StoredEvent& event : found->second) {
          if (event.id > cursor.after && tail.events.size() < static_cast<std::size_t>(limit))
            tail.events.push_back(event);
        }
      }
      tails.push_back(std::move(tail));
    }
    lock.unlock();
    content_.pass();
    return tails;
  }
  Sweep find_behind(std::span<const Cursor> cursors) override {
    check();
    const std::lock_guard lock(content_.mutex);
    Sweep sweep;
    sweep.database_clock =
        std::chrono::duration_cast<milliseconds>(gp::steady_now().time_since_epoch()) + content_.clock_ahead;
    ++content_.sweeps;
    for (const Cursor& cursor : cursors) {
      const auto found = content_.runs.find(cursor.run_id);
      if (found == content_.runs.end()) continue;
      if (static_cast<std::int64_t>(found->second.size()) > cursor.after)
        sweep.behind.push_back(cursor.run_id);
      if (content_.lost.contains(cursor.run_id)) sweep.lost.push_back(cursor.run_id);
    }
    return sweep;
  }
  EndOutcome end_lost(const RunId& run_id) override {
    check();
    const std::lock_guard lock(content_.mutex);
    content_.ends.push_back(gp::steady_now());
    if (!content_.can_end_lost) throw Error(ErrorKind::kUnavailable, "away");
    if (content_.are_projects_locked) return EndOutcome::kLocked;
    if (content_.lost.erase(run_id) == 0) return EndOutcome::kNotOurs;
    content_.append_locked(run_id, R"({"code":"worker_lost"})", "error");
    return EndOutcome::kEnded;
  }
  std::vector<RunId> wait_for_ring(milliseconds timeout, int wake_fd) override {
    for (const auto deadline = gp::steady_now() + timeout; gp::steady_now() < deadline;) {
      check();
      pollfd wake{wake_fd, POLLIN, 0};
      if (::poll(&wake, 1, 2) > 0) return {};
      const std::lock_guard lock(content_.mutex);
      if (!content_.rung.empty()) return std::exchange(content_.rung, {});
    }
    return {};
  }

 private:
  void check() const {
    const std::lock_guard lock(content_.mutex);
    if (content_.is_away) throw Error(ErrorKind::kUnavailable, "away");
  }
  Content& content_;
};

/// The host's replay cache, shared with its reader's thread. While it is held, nothing that is looked for is
/// found yet, as on a disk that stands still.
struct Kept : support::Gate {
  std::mutex mutex;
  std::map<RunId, std::map<std::int64_t, CachedEvent>> runs;
  int finds = 0;

  int find_count() {
    const std::lock_guard lock(mutex);
    return finds;
  }
  void put(const RunId& run, std::int64_t id, const std::string& type, const std::string& data = "{}") {
    const std::lock_guard lock(mutex);
    runs[run].emplace(id, CachedEvent{run, id, type, data, 0});
  }
  std::size_t count(const RunId& run) {
    const std::lock_guard lock(mutex);
    return runs[run].size();
  }
};

class FakeStore : public ReplayStore {
 public:
  explicit FakeStore(Kept& kept) : kept_(kept) {}
  CachedTail find(const RunId& run_id, std::int64_t after, int limit) override {
    {
      const std::lock_guard lock(kept_.mutex);
      ++kept_.finds;
    }
    kept_.pass();
    const std::lock_guard lock(kept_.mutex);
    CachedTail tail;
    const auto& events = kept_.runs[run_id];
    if (events.empty()) return tail;
    tail.last_id = std::min(after, events.rbegin()->first);
    for (auto next = events.find(after + 1); next != events.end() && next->first == tail.last_id + 1;
         ++next) {
      tail.last_id = next->first;
      if (tail.events.size() < static_cast<std::size_t>(limit)) tail.events.push_back(next->second);
    }
    const auto last = events.find(tail.last_id);
    tail.is_complete = last != events.end() && last->second.type == "run_completed";
    return tail;
  }
  void store(std::span<const CachedEvent> events) override {
    for (const CachedEvent& event : events) kept_.put(event.run_id, event.id, event.type, event.data);
  }
  void trim() override {}

 private:
  Kept& kept_;
};

StreamOptions quick() {
  StreamOptions options;
  options.keepalive = milliseconds(300);
  options.log_patience = milliseconds(1000);
  options.request_patience = milliseconds(500);
  return options;
}

/// As many servers on one listening socket as it has processes; they share one log and one cache.
struct Server {
  support::TempFolder folder;
  Content content;
  Kept kept;
  gp::UniqueFd listener = support::listen_at(folder.path() + "/s.sock");
  gp::UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> stopped = 0;  ///< so many have done what they do before they are destroyed
  std::vector<std::jthread> threads;

  explicit Server(const StreamOptions& options = quick(), milliseconds outage_grace = milliseconds(0),
                  int processes = 1) {
    int flags = ::fcntl(listener.get(), F_GETFL);
    ::fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK);
    for (int i = 0; i < processes; ++i) start(options, outage_grace);
  }
  void start(const StreamOptions& options = quick(), milliseconds outage_grace = milliseconds(0)) {
    threads.emplace_back([this, options, outage_grace] {
      StreamServer::Sources sources{std::make_unique<FakeLog>(content),
                                    std::make_unique<FakeStore>(kept),
                                    {milliseconds(200), outage_grace}};
      StreamServer server(options, listener.get(), stop.get(), std::move(sources));
      server.run();
      ++stopped;
    });
  }
  ~Server() { end(); }
  void tell_to_stop() const { ::eventfd_write(stop.get(), 1); }
  void end() {
    content.release();
    kept.release();
    tell_to_stop();
    threads.clear();
  }
};

/// One client; reads as it is told to.
struct Client {
  gp::UniqueFd fd;
  std::string bytes;
  bool is_closed = false;

  Client(const Server& server, const std::string& query, const std::string& last_event_id = {},
         const std::string& method = "GET", const std::string& path = "/events/stream")
      : fd(support::connect_to(server.folder.path() + "/s.sock")) {
    std::map<std::string, std::string> params = {
        {"REQUEST_METHOD", method}, {"DOCUMENT_URI", path}, {"QUERY_STRING", query}};
    if (!last_event_id.empty()) params["HTTP_LAST_EVENT_ID"] = last_event_id;
    support::send_all(fd.get(), support::fcgi_request(params));
  }

  /// Reads until `done` holds for the answer's text, or 10 s have passed.
  template <class Done>
  bool read_until(const Done& done, milliseconds patience = seconds(10)) {
    const auto deadline = gp::steady_now() + patience;
    while (!done(text()) && !is_closed && gp::steady_now() < deadline) {
      pollfd readable{fd.get(), POLLIN, 0};
      if (::poll(&readable, 1, 20) <= 0) continue;
      char buffer[16384];
      const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
      if (got <= 0) is_closed = true;
      if (got > 0) bytes.append(buffer, static_cast<std::size_t>(got));
    }
    return done(text());
  }
  bool read_until_text(const std::string& wanted, milliseconds patience = seconds(10)) {
    return read_until([&](const std::string& so_far) { return so_far.find(wanted) != std::string::npos; },
                      patience);
  }
  bool read_to_end() {
    read_until([](const std::string&) { return false; });
    return support::parse_fcgi(bytes).is_ended;
  }
  std::string text() const { return support::parse_fcgi(bytes).text; }
  std::string body() const { return text().substr(text().find("\r\n\r\n") + 4); }

  std::vector<int> ids() const {
    std::vector<int> ids;
    const std::string all = text();
    for (std::size_t at = all.find("\nid: "); at != std::string::npos; at = all.find("\nid: ", at + 1))
      ids.push_back(std::stoi(all.substr(at + 5)));
    return ids;
  }
};

std::string query_of(const RunId& run) { return "run_id=" + run.str(); }

/// As GET /events.
Client poll_of(const Server& server, const std::string& query) {
  return {server, query_of(kRun) + query, "", "GET", "/events"};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Waits until the log has been read `reads` times and the cache asked `finds` times.
bool wait_for(Server& server, int reads, int finds) {
  return support::wait_until(
      [&] { return server.content.read_count() >= reads && server.kept.find_count() >= finds; }, seconds(10));
}

milliseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::duration_cast<milliseconds>(seconds(used.tv_sec) +
                                                  std::chrono::nanoseconds(used.tv_nsec));
}

std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i <= to; ++i) all.push_back(i);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_server)

BOOST_AUTO_TEST_CASE(replay_then_live_then_a_clean_end) {
  Server server;
  server.content.append(kRun, "{}");
  server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 2\n"));
  BOOST_TEST(client.text().starts_with("Status: 200 OK\r\n"));
  server.content.append(kRun, "{}");
  BOOST_TEST(client.read_until_text("id: 3\n"));
  server.content.finish(kRun);
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(1, 4)));
}

BOOST_AUTO_TEST_CASE(the_cursor_is_taken_from_header_or_query) {
  Server server;
  for (int i = 0; i < 9; ++i) server.content.append(kRun, "{}");
  server.content.finish(kRun);
  for (int seen = 0; seen < 10; ++seen) {
    Client by_header(server, query_of(kRun), std::to_string(seen));
    Client by_query(server, query_of(kRun) + "&last_event_id=" + std::to_string(seen));
    for (Client* client : {&by_header, &by_query}) {
      BOOST_TEST(client->read_to_end());
      BOOST_TEST((client->ids() == numbers(seen + 1, 10)));
    }
  }
  Client done(server, query_of(kRun), "10");
  BOOST_TEST(done.read_to_end());
  BOOST_TEST(done.text().starts_with("Status: 204"));
}

BOOST_AUTO_TEST_CASE(a_ring_that_is_lost_costs_time_and_never_an_event) {
  Server server;
  server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 1\n"));
  server.content.append(kRun, "{}", "run_completed", false);
  BOOST_TEST(client.read_until(
      [](const std::string& text) { return text.find("id: 2\n") != std::string::npos; }, seconds(30)));
}

BOOST_AUTO_TEST_CASE(what_is_no_stream_is_refused_in_the_usual_form) {
  const Server server;
  const auto status_of = [&](Client client) {
    client.read_to_end();
    return client.text().substr(0, 11);
  };
  BOOST_TEST(status_of(Client(server, "")) == "Status: 400");
  BOOST_TEST(status_of(Client(server, "run_id=x")) == "Status: 400");
  BOOST_TEST(status_of(Client(server, query_of(kRun))) == "Status: 404");
  BOOST_TEST(status_of(Client(server, query_of(kRun), "", "POST")) == "Status: 405");
  BOOST_TEST(status_of(Client(server, query_of(kRun), "", "OPTIONS")) == "Status: 204");
}

BOOST_AUTO_TEST_CASE(while_the_log_is_away_a_stream_stays_open_and_goes_on_afterwards) {
  Server server;
  server.content.append(kRun, "{}");
  Client before(server, query_of(kRun));
  BOOST_TEST(before.read_until_text("id: 1\n"));
  server.content.set_away(true);
  Client meanwhile(server, query_of(kRun), "1");
  BOOST_TEST(meanwhile.read_until_text("unavailable"));
  BOOST_TEST(meanwhile.text().starts_with("Status: 200"));
  BOOST_TEST(before.read_until_text("unavailable"));
  BOOST_TEST(before.read_until_text(": ka\n"));
  server.content.append(kRun, "{}", "run_completed", false);
  server.content.set_away(false);
  for (Client* client : {&before, &meanwhile}) {
    BOOST_TEST(client->read_to_end());
    BOOST_TEST(client->ids().back() == 2);
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_gets_everything_later_and_holds_up_nobody) {
  StreamOptions options = quick();
  options.buffer_bytes = 16'384;
  Server server(options);
  server.content.append(kRun, "{}");
  Client slow(server, query_of(kRun));
  Client quick_one(server, query_of(kRun));
  BOOST_TEST(slow.read_until_text("id: 1\n"));
  const std::string large = "{\"x\":\"" + std::string(50'000, 'x') + "\"}";
  for (int i = 0; i < 40; ++i) server.content.append(kRun, large);  // 2 MB: more than socket and buffer hold
  server.content.finish(kRun);
  BOOST_TEST(quick_one.read_to_end());
  BOOST_TEST((quick_one.ids() == numbers(1, 42)));
  BOOST_TEST(slow.read_to_end());
  BOOST_TEST((slow.ids() == numbers(1, 42)));
}

BOOST_AUTO_TEST_CASE(a_client_that_never_reads_is_dropped) {
  StreamOptions options = quick();
  options.buffer_bytes = 16'384;
  options.stall = milliseconds(500);
  Server server(options);
  server.content.append(kRun, "{}");
  Client stuck(server, query_of(kRun));
  BOOST_TEST(stuck.read_until_text("id: 1\n"));
  for (int i = 0; i < 40; ++i) server.content.append(kRun, "{\"x\":\"" + std::string(50'000, 'x') + "\"}");
  std::this_thread::sleep_for(seconds(2));
  stuck.read_to_end();
  BOOST_TEST(stuck.is_closed);
  BOOST_TEST(stuck.ids().size() < 41u);
}

BOOST_AUTO_TEST_CASE(a_peer_that_sends_no_request_is_closed_and_others_are_served_meanwhile) {
  Server server;
  server.content.finish(kRun);
  const gp::UniqueFd silent = support::connect_to(server.folder.path() + "/s.sock");
  const gp::UniqueFd nonsense = support::connect_to(server.folder.path() + "/s.sock");
  support::send_all(nonsense.get(), "GET / HTTP/1.1\r\n\r\n");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_to_end());
  char byte = 0;
  BOOST_TEST(::read(nonsense.get(), &byte, 1) <= 0);
  BOOST_TEST(::read(silent.get(), &byte, 1) <= 0);
}

BOOST_AUTO_TEST_CASE(rotation_and_stop_end_streams_between_two_frames) {
  StreamOptions options = quick();
  options.max_age = milliseconds(700);
  Server server(options);
  server.content.append(kRun, "{}");
  Client rotated(server, query_of(kRun));
  BOOST_TEST(rotated.read_to_end());
  BOOST_TEST((rotated.ids() == numbers(1, 1)));
  // One that had no event has been told as well when to come back.
  Client without_event(server, query_of(kRun), "1");
  BOOST_TEST(without_event.read_to_end());
  BOOST_TEST(without_event.ids().empty());
  BOOST_TEST(without_event.text().find("\r\n\r\nretry: ") != std::string::npos);

  Server other;
  other.content.append(kRun, "{}");
  Client client(other, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 1\n"));
  other.end();
  BOOST_TEST(client.read_to_end());
}

BOOST_AUTO_TEST_CASE(more_streams_than_allowed_are_refused) {
  StreamOptions options = quick();
  options.max_streams = 2;
  Server server(options);
  server.content.append(kRun, "{}");
  Client one(server, query_of(kRun));
  Client two(server, query_of(kRun));
  BOOST_TEST(one.read_until_text("id: 1\n"));
  BOOST_TEST(two.read_until_text("id: 1\n"));
  Client three(server, query_of(kRun));
  three.read_to_end();
  BOOST_TEST(three.text().starts_with("Status: 503"));
  BOOST_TEST(three.text().find("Retry-After") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_full_process_leaves_what_comes_to_one_that_has_room) {
  StreamOptions options = quick();
  options.max_streams = 20;
  Server server(options, milliseconds(0), 2);
  server.content.append(kRun, "{}");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<Client>(server, query_of(kRun)));
  for (auto& client : clients) BOOST_REQUIRE(client->read_until_text("id: 1\n"));
  const auto begun = gp::steady_now();
  for (int i = 0; i < 100; ++i) {  // more than one turn accepts
    clients.push_back(std::make_unique<Client>(server, query_of(kRun)));
  }
  for (std::size_t i = 40; i < clients.size(); ++i) {
    BOOST_REQUIRE(clients[i]->read_to_end());
    BOOST_REQUIRE(clients[i]->text().starts_with("Status: 503"));
  }
  BOOST_TEST((gp::steady_now() - begun < seconds(1)));
  clients.erase(clients.begin());
  Client successor(server, query_of(kRun));
  BOOST_TEST(successor.read_until_text("id: 1\n"));
}

BOOST_AUTO_TEST_CASE(many_streams_of_many_runs_each_get_their_own_events) {
  Server server;
  std::vector<RunId> runs;
  for (int i = 0; i < 20; ++i) runs.emplace_back(gp::make_uuid());
  for (const RunId& run : runs) server.content.append(run, "{\"run\":\"" + run.str() + "\"}");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(
        std::make_unique<Client>(server, query_of(runs[static_cast<std::size_t>(i) % runs.size()])));
  for (const RunId& run : runs)
    server.content.append(run, "{\"run\":\"" + run.str() + "\"}", "run_completed");
  for (std::size_t i = 0; i < clients.size(); ++i) {
    BOOST_REQUIRE(clients[i]->read_to_end());
    BOOST_REQUIRE((clients[i]->ids() == numbers(1, 2)));
    const std::string text = clients[i]->text();
    for (std::size_t other = 0; other < runs.size(); ++other) {
      BOOST_REQUIRE((text.find(runs[other].str()) != std::string::npos) == (other == i % runs.size()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_of_very_many_streams_gives_each_of_them_every_event) {
  gp::process::raise_descriptor_limit();
  Server server;
  server.content.append(kRun, "{}");
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < Peer::kMostUnread + 30; ++i)
    clients.push_back(std::make_unique<Client>(server, query_of(kRun)));
  for (auto& client : clients) BOOST_REQUIRE(client->read_until_text("id: 1\n"));
  server.content.append(kRun, "{}");
  std::this_thread::sleep_for(milliseconds(20));
  // Nobody reads now, so the second event is still on its way to some. The third one is not rung for: it is
  // read for somebody who comes. Then clients go, and an answer would go to those who are left at once.
  server.content.append(kRun, "{}", "section_started", false);
  Client newcomer(server, query_of(kRun), "2");
  BOOST_REQUIRE(newcomer.read_until_text("id: 3\n"));
  for (int i = 4; i <= 6; ++i) {
    clients.erase(clients.begin(), clients.begin() + 20);
    server.content.append(kRun, "{}");
    std::this_thread::sleep_for(milliseconds(5));
  }
  server.content.finish(kRun);
  for (auto& client : clients) {
    BOOST_REQUIRE(client->read_to_end());
    BOOST_REQUIRE((client->ids() == numbers(1, 7)));
  }
  BOOST_TEST(newcomer.read_to_end());
  BOOST_TEST((newcomer.ids() == numbers(3, 7)));
}

BOOST_AUTO_TEST_CASE(a_complete_run_that_this_host_has_is_replayed_without_the_log) {
  Server server;
  for (int id = 1; id <= 4; ++id) server.kept.put(kRun, id, "section_started");
  server.kept.put(kRun, 5, "run_completed");
  Client whole(server, query_of(kRun));
  Client part(server, query_of(kRun), "3");
  Client seen(server, query_of(kRun), "5");
  Client beyond(server, query_of(kRun), "17");
  for (Client* client : {&whole, &part, &seen, &beyond}) BOOST_TEST(client->read_to_end());
  BOOST_TEST((whole.ids() == numbers(1, 5)));
  BOOST_TEST((part.ids() == numbers(4, 5)));
  BOOST_TEST(seen.text().starts_with("Status: 204"));
  BOOST_TEST(beyond.text().starts_with("Status: 200"));
  BOOST_TEST(beyond.text().find("beyond the end") != std::string::npos);
  BOOST_TEST(server.content.read_count() == 0);
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_is_asked_of_the_log_because_it_may_go_on) {
  Server server;
  for (int id = 1; id <= 2; ++id) {
    server.kept.put(kRun, id, id == 2 ? "error" : "run_started");
    server.content.append(kRun, "{}", id == 2 ? "error" : "run_started");
  }
  server.content.append(kRun, "{}", "run_started");  // started again, seen by another host only
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 3\n"));
  server.content.finish(kRun);
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(1, 4)));
}

BOOST_AUTO_TEST_CASE(a_stream_begins_with_what_this_host_has_and_goes_on_with_the_log) {
  Server server;
  for (int id = 1; id <= 7; ++id) {
    if (id <= 4) server.kept.put(kRun, id, "section_started");
    server.content.append(kRun, "{}");
  }
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 7\n"));
  server.content.finish(kRun);
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(1, 8)));
}

BOOST_AUTO_TEST_CASE(while_the_log_is_away_what_this_host_has_is_replayed) {
  Server server;
  server.content.set_away(true);
  for (int id = 1; id <= 3; ++id) server.kept.put(kRun, id, "section_started");
  Client client(server, query_of(kRun), "1");
  BOOST_TEST(client.read_until_text("id: 3\n"));
  BOOST_TEST((client.ids() == numbers(2, 3)));
  BOOST_TEST(client.read_until_text(": ka\n"));
  for (int id = 1; id <= 4; ++id)
    server.content.append(kRun, "{}", id == 4 ? "run_completed" : "section_started");
  server.content.set_away(false);
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(2, 4)));
}

BOOST_AUTO_TEST_CASE(what_was_served_once_is_kept_for_the_next_time) {
  Server server;
  server.content.append(kRun, "{}");
  server.content.finish(kRun);
  Client first(server, query_of(kRun));
  BOOST_TEST(first.read_to_end());
  const auto deadline = gp::steady_now() + seconds(10);
  while (server.kept.count(kRun) < 2 && gp::steady_now() < deadline) std::this_thread::yield();
  const int reads = server.content.read_count();
  Client second(server, query_of(kRun));
  BOOST_TEST(second.read_to_end());
  BOOST_TEST((second.ids() == numbers(1, 2)));
  BOOST_TEST(server.content.read_count() == reads);
}

BOOST_AUTO_TEST_CASE(a_run_that_has_lost_its_worker_ends_in_error_instead_of_keep_alives) {
  Server server;
  server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 1\n"));
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.lost.insert(kRun);
  }
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(1, 2)));
  BOOST_TEST(client.text().find("event: error\ndata: {\"code\":\"worker_lost\"}\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_poll_is_answered_at_once_where_there_are_events_and_later_where_there_are_none_yet) {
  Server server;
  server.content.append(kRun, R"({"n":1})");
  server.content.append(kRun, R"({"n":2})");
  Client at_once(server, query_of(kRun) + "&after=1&wait=30", "", "GET", "/events");
  BOOST_TEST(at_once.read_to_end());
  BOOST_TEST(
      at_once.body() ==
      R"({"run_id":")" + kRun.str() +
          R"(","events":[{"id":2,"event":"section_started","data":{"n":2}}],"last_event_id":2,"ended":false,"has_more":false})");

  Client waiting(server, query_of(kRun) + "&after=2&wait=30", "", "GET", "/events");
  BOOST_TEST(!waiting.read_until_text("events", milliseconds(300)));
  server.content.finish(kRun);
  BOOST_TEST(waiting.read_to_end());
  BOOST_TEST(waiting.body().find(R"("last_event_id":3,"ended":true)") != std::string::npos);

  Client ended(server, query_of(kRun) + "&after=3&wait=30", "", "GET", "/events");
  BOOST_TEST(ended.read_to_end());
  BOOST_TEST(ended.body().find(R"("events":[],"last_event_id":3,"ended":true)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_poll_says_goes_before_a_header_that_was_sent_along) {
  Server server;
  for (int i = 0; i < 9; ++i) server.content.append(kRun, "{}");
  Client by_query(server, query_of(kRun) + "&after=8", "2", "GET", "/events");
  Client by_header(server, query_of(kRun), "8", "GET", "/events");
  for (Client* client : {&by_query, &by_header}) {
    BOOST_TEST(client->read_to_end());
    BOOST_TEST(client->body().find(R"("events":[{"id":9,)") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_poll_without_news_is_answered_when_its_time_is_over) {
  Server server;
  server.content.append(kRun, "{}");
  Client no_wait(server, query_of(kRun) + "&after=1", "", "GET", "/events");
  Client one_second(server, query_of(kRun) + "&after=1&wait=1", "", "GET", "/events");
  for (Client* client : {&no_wait, &one_second}) {
    BOOST_TEST(client->read_to_end());
    BOOST_TEST(client->body().find(R"("events":[],"last_event_id":1,"ended":false)") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_poll_says_what_is_wrong_with_it) {
  Server server;
  const auto answer_to = [&](const std::string& query) {
    Client client(server, query, "", "GET", "/events");
    client.read_to_end();
    return client.text();
  };
  const std::string wrong = answer_to("run_id=x&after=-1&wait=61");
  BOOST_TEST(wrong.starts_with("Status: 400"));
  for (const char* field : {R"("run_id")", R"("after")", R"("wait")"})
    BOOST_TEST(wrong.find(field) != std::string::npos);
  BOOST_TEST(answer_to("").starts_with("Status: 400"));
  BOOST_TEST(answer_to(query_of(kRun)).starts_with("Status: 404"));
  server.content.set_away(true);
  BOOST_TEST(answer_to(query_of(kRun)).starts_with("Status: 503"));
  server.kept.put(kRun, 1, "run_started");
  BOOST_TEST(answer_to(query_of(kRun)).find(R"("last_event_id":1)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_cursor_beyond_the_end_takes_nothing_from_those_who_follow) {
  Server server;
  for (int i = 0; i < 5; ++i) server.content.append(kRun, "{}");
  Client follower(server, query_of(kRun));
  BOOST_TEST(follower.read_until_text("id: 5\n"));
  Client beyond(server, query_of(kRun), "999");
  BOOST_TEST(beyond.read_until_text("beyond the end"));
  Client poll = poll_of(server, "&after=999");
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(has(poll.body(), R"("events":[],"last_event_id":5)"));
  server.content.append(kRun, "{}");
  BOOST_TEST(follower.read_until_text("id: 6\n"));
  BOOST_TEST(beyond.read_until_text("id: 6\n"));
  server.content.finish(kRun);
  BOOST_TEST(follower.read_to_end());
  BOOST_TEST((follower.ids() == numbers(1, 7)));
  BOOST_TEST(beyond.read_to_end());
  BOOST_TEST((beyond.ids() == numbers(6, 7)));
}

BOOST_AUTO_TEST_CASE(whoever_is_alone_beyond_the_end_gets_what_comes_next_without_a_ring_too) {
  Server server;
  for (int i = 0; i < 5; ++i) server.content.append(kRun, "{}");
  Client beyond(server, query_of(kRun), "999");
  BOOST_TEST(beyond.read_until_text("beyond the end"));
  server.content.append(kRun, "{}", "section_started", false);
  BOOST_TEST(beyond.read_until_text("id: 6\n"));
  BOOST_TEST((beyond.ids() == numbers(6, 6)));
}

BOOST_AUTO_TEST_CASE(a_cursor_beyond_the_end_is_put_right_when_the_log_is_back) {
  Server server;
  for (int i = 0; i < 5; ++i) server.content.append(kRun, "{}");
  server.content.set_away(true);
  Client beyond(server, query_of(kRun), "999");
  BOOST_TEST(beyond.read_until_text("unavailable"));
  Client newcomer(server, query_of(kRun), "4");
  BOOST_TEST(newcomer.read_until_text("unavailable"));
  server.content.set_away(false);
  BOOST_TEST(beyond.read_until_text("beyond the end"));
  server.content.append(kRun, "{}");
  BOOST_TEST(beyond.read_until_text("id: 6\n"));
  server.content.finish(kRun);
  BOOST_TEST(beyond.read_to_end());
  BOOST_TEST((beyond.ids() == numbers(6, 7)));
  BOOST_TEST(newcomer.read_to_end());
  BOOST_TEST((newcomer.ids() == numbers(5, 7)));
}

BOOST_AUTO_TEST_CASE(what_a_failover_has_taken_from_the_log_and_is_written_again_is_repeated_to_nobody) {
  Server server;
  for (int i = 0; i < 7; ++i) server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 7\n"));
  const int reads = server.content.read_count();
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.runs[kRun].resize(5);
    ++server.content.connections;
  }
  Client newcomer(server, query_of(kRun), "2");
  BOOST_TEST(newcomer.read_until_text("id: 5\n"));
  BOOST_TEST(wait_for(server, reads + 1, 0));
  for (int i = 0; i < 3; ++i) server.content.append(kRun, "{}");
  server.content.finish(kRun);
  BOOST_TEST(client.read_to_end());
  BOOST_TEST((client.ids() == numbers(1, 9)));
  BOOST_TEST(newcomer.read_to_end());
  BOOST_TEST((newcomer.ids() == numbers(3, 9)));
}

BOOST_AUTO_TEST_CASE(an_answer_older_than_a_request_does_not_say_where_the_log_ends) {
  Server server;
  for (int i = 0; i < 5; ++i) server.content.append(kRun, "{}");
  server.content.hold();
  Client first(server, query_of(kRun));
  BOOST_REQUIRE(wait_for(server, 1, 1));
  for (int i = 0; i < 2; ++i) server.content.append(kRun, "{}");  // another host has them before this one
  Client stream(server, query_of(kRun), "7");
  Client poll = poll_of(server, "&after=7&wait=30");
  BOOST_REQUIRE(wait_for(server, 1, 3));
  server.content.release();
  BOOST_TEST(first.read_until_text("id: 7\n"));  // although what was read last, beyond 7, is not for it
  server.content.append(kRun, "{}");
  BOOST_TEST(stream.read_until_text("id: 8\n"));
  BOOST_TEST((stream.ids() == numbers(8, 8)));
  BOOST_TEST(!has(stream.text(), "beyond the end"));
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(has(poll.body(), R"("events":[{"id":8,)"));
}

BOOST_AUTO_TEST_CASE(an_answer_older_than_a_request_does_not_say_that_nothing_is_left) {
  Server server;
  server.content.append(kRun, "{}", "run_started");
  server.content.finish(kRun, "error");
  server.content.hold();
  Client first(server, query_of(kRun));
  BOOST_REQUIRE(wait_for(server, 1, 1));
  server.content.append(kRun, "{}", "run_started", false);  // started again
  Client stream(server, query_of(kRun), "2");
  Client poll = poll_of(server, "&after=2&wait=30");
  BOOST_REQUIRE(wait_for(server, 1, 3));
  server.content.release();
  BOOST_TEST(stream.read_until_text("id: 3\n"));
  BOOST_TEST(stream.text().starts_with("Status: 200"));
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(has(poll.body(), R"("last_event_id":3,"ended":false)"));
}

BOOST_AUTO_TEST_CASE(an_answer_older_than_the_run_does_not_say_that_there_is_none) {
  Server server;
  server.content.hold();
  Client early(server, query_of(kRun));
  BOOST_REQUIRE(wait_for(server, 1, 1));
  server.content.append(kRun, "{}", "run_started", false);
  Client stream(server, query_of(kRun));
  Client poll = poll_of(server, "&wait=30");
  BOOST_REQUIRE(wait_for(server, 1, 3));
  server.content.release();
  BOOST_TEST(stream.read_until_text("id: 1\n"));
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(has(poll.body(), R"("last_event_id":1)"));
  BOOST_TEST(early.read_to_end());
  BOOST_TEST(early.text().starts_with("Status: 404"));
}

BOOST_AUTO_TEST_CASE(a_run_is_not_ended_as_lost_until_its_workers_had_time_to_come_back) {
  constexpr milliseconds kGrace{600};
  Server server(quick(), kGrace);
  server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_TEST(client.read_until_text("id: 1\n"));
  const auto ends = [&] {
    const std::lock_guard lock(server.content.mutex);
    return server.content.ends;
  };
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.lost.insert(kRun);
    server.content.can_end_lost = false;  // the workers' database is away, the one that is read is not
  }
  BOOST_REQUIRE(support::wait_until([&] { return !ends().empty(); }, seconds(10)));
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.can_end_lost = true;
  }
  BOOST_TEST(client.read_to_end());
  BOOST_TEST(has(client.text(), "worker_lost"));
  BOOST_TEST(!has(client.text(), "unavailable"));
  BOOST_TEST((ends().at(1) - ends().at(0) >= kGrace));
}

BOOST_AUTO_TEST_CASE(a_run_is_not_ended_as_lost_because_the_databases_clock_has_jumped) {
  constexpr milliseconds kGrace{1000};
  Server server(quick(), kGrace);
  const auto came = gp::steady_now();
  server.content.append(kRun, "{}");
  Client client(server, query_of(kRun));
  BOOST_REQUIRE(support::wait_until(
      [&] {
        const std::lock_guard lock(server.content.mutex);
        return server.content.sweeps > 0 &&
               gp::steady_now() - came > 2 * kGrace;  // the grace of the connection is over
      },
      seconds(10)));
  const auto jumped = gp::steady_now();
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.clock_ahead = std::chrono::hours(1);
    server.content.lost.insert(kRun);
  }
  BOOST_TEST(client.read_to_end());
  BOOST_TEST(has(client.text(), "worker_lost"));
  BOOST_TEST((gp::steady_now() - jumped >= kGrace));
}

BOOST_AUTO_TEST_CASE(after_a_lost_run_whose_project_is_locked_no_other_one_keeps_the_reader_waiting) {
  Server server;
  std::vector<RunId> runs;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    runs.emplace_back(gp::make_uuid());
    server.content.append(runs.back(), "{}");
    clients.push_back(std::make_unique<Client>(server, query_of(runs.back())));
    BOOST_REQUIRE(clients.back()->read_until_text("id: 1\n"));
  }
  {
    const std::lock_guard lock(server.content.mutex);
    server.content.lost = {runs.begin(), runs.end()};
    server.content.are_projects_locked = true;
  }
  const auto count = [&](auto member) {
    const std::lock_guard lock(server.content.mutex);
    return server.content.*member;
  };
  BOOST_REQUIRE(support::wait_until([&] { return !count(&Content::ends).empty(); }, seconds(10)));
  const int sweeps = count(&Content::sweeps);
  BOOST_REQUIRE(support::wait_until([&] { return count(&Content::sweeps) > sweeps + 10; }, seconds(10)));
  BOOST_TEST(count(&Content::ends).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_log_that_does_not_answer_is_as_one_that_is_away) {
  Server server;
  server.content.append(kRun, "{}");
  server.content.hold();
  Client stream(server, query_of(kRun));
  Client poll = poll_of(server, "");
  BOOST_TEST(stream.read_until_text("unavailable"));
  BOOST_TEST(stream.text().starts_with("Status: 200"));
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(poll.text().starts_with("Status: 503"));
  server.content.release();
  BOOST_TEST(stream.read_until_text("id: 1\n"));
}

BOOST_AUTO_TEST_CASE(a_stop_does_not_wait_for_a_log_that_does_not_answer_and_keeps_what_was_served) {
  Server server;
  server.content.append(kRun, "{}");
  Client served(server, query_of(kRun));
  BOOST_REQUIRE(served.read_until_text("id: 1\n"));
  server.content.hold();
  const Client waiting(server, query_of(kRun), "1");
  BOOST_REQUIRE(wait_for(server, 2, 2));
  server.content.append(kRun, "{}");
  server.tell_to_stop();
  BOOST_TEST(support::wait_until([&] { return server.stopped == 1; }, seconds(3)));
  BOOST_TEST(served.read_to_end());
  BOOST_TEST(server.kept.count(kRun) == 1u);
}

BOOST_AUTO_TEST_CASE(what_has_come_before_a_stop_is_answered_or_left_to_the_next_process) {
  gp::process::raise_descriptor_limit();
  Server server(quick(), milliseconds(0), 0);
  BOOST_REQUIRE(::listen(server.listener.get(), 256) == 0);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(std::make_unique<Client>(server, query_of(kRun) + "&wait=30", "", "GET", "/events"));
  server.tell_to_stop();
  server.start();
  BOOST_REQUIRE(support::wait_until([&] { return server.stopped == 1; }, seconds(10)));
  int answered = 0;
  for (auto& client : clients) {
    client->read_until([](const std::string&) { return false; }, milliseconds(1));
    if (client->text().starts_with("Status: 200")) ++answered;
    BOOST_REQUIRE(client->is_closed == client->text().starts_with("Status: 200"));
  }
  BOOST_TEST(answered > 0);
}

BOOST_AUTO_TEST_CASE(a_cache_that_does_not_answer_keeps_nobody_from_the_log) {
  Server server;
  server.content.append(kRun, "{}");
  server.kept.hold();
  Client stream(server, query_of(kRun));
  Client poll = poll_of(server, "");
  BOOST_TEST(stream.read_until_text("id: 1\n", seconds(2)));
  BOOST_TEST(!has(stream.text(), "unavailable"));
  BOOST_TEST(poll.read_to_end());
  BOOST_TEST(poll.text().starts_with("Status: 200"));
  BOOST_TEST(has(poll.body(), R"("last_event_id":1)"));
  server.kept.release();  // what it has to say comes late, and is nothing new
  BOOST_TEST(wait_for(server, 1, 2));
  server.content.finish(kRun);
  BOOST_TEST(stream.read_to_end());
  BOOST_TEST((stream.ids() == numbers(1, 2)));
}

BOOST_AUTO_TEST_CASE(a_client_that_reads_on_gets_the_rest_although_the_cache_does_not_answer) {
  StreamOptions options = quick();
  options.buffer_bytes = 16'384;
  Server server(options);
  server.content.append(kRun, "{}");
  Client slow(server, query_of(kRun));
  BOOST_TEST(slow.read_until_text("id: 1\n"));
  Client quick_one(server, query_of(kRun));
  BOOST_TEST(quick_one.read_until_text("id: 1\n"));
  server.kept.hold();
  for (int i = 0; i < 15; ++i) server.content.append(kRun, "{\"x\":\"" + std::string(50'000, 'x') + "\"}");
  server.content.finish(kRun);
  BOOST_TEST(quick_one.read_to_end());
  BOOST_TEST(slow.read_to_end());
  BOOST_TEST((slow.ids() == numbers(1, 17)));
}

BOOST_AUTO_TEST_CASE(clients_that_come_do_not_make_the_reader_try_a_log_that_is_away_more_often) {
  Server server;
  server.content.set_away(true);
  const int before = server.content.turn_count();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<Client>(server, query_of(kRun)));
    std::this_thread::sleep_for(milliseconds(5));
  }
  BOOST_TEST(wait_for(server, 0, 100));
  BOOST_TEST(server.content.turn_count() - before < 30);
}

BOOST_AUTO_TEST_CASE(a_stop_that_waits_for_clients_that_read_nothing_takes_no_processor_time) {
  Server server;
  server.content.append(kRun, "{}");
  Client stuck(server, query_of(kRun));
  Client quick_one(server, query_of(kRun));
  BOOST_TEST(stuck.read_until_text("id: 1\n"));
  for (int i = 0; i < 40; ++i) server.content.append(kRun, "{\"x\":\"" + std::string(50'000, 'x') + "\"}");
  BOOST_TEST(quick_one.read_until_text("id: 41\n"));
  const gp::UniqueFd waiting = support::connect_to(server.folder.path() + "/s.sock");
  const milliseconds before = processor_time();
  server.end();
  BOOST_TEST((processor_time() - before).count() < 400);
}

BOOST_AUTO_TEST_SUITE_END()
