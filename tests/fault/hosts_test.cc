// Two application hosts on one PostgreSQL with a streaming standby: a run does not care on which host it is
// read or written, a host that is cut off loses its runs to the other and does no harm when it is back, and a
// failover loses nothing that a client has seen - not even what the standby had not got yet.

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/fault/two_hosts.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

using fault::TwoHosts;
using gp::Json;
using std::chrono::seconds;
using support::start_body;
using support::StreamEvent;
using support::wait_until;

namespace {

constexpr seconds kLease{4};

struct OnHosts {
  static inline std::optional<TwoHosts> hosts;
  OnHosts() { hosts.emplace(); }
  ~OnHosts() { hosts.reset(); }
};

TwoHosts& hosts() { return *OnHosts::hosts; }

bool is_end(const StreamEvent& event) { return event.name == "run_completed" || event.name == "error"; }

/// A client that reads a run to a certain event, on this host or on that, with Last-Event-ID.
class Client {
 public:
  explicit Client(std::string run_id) : run_id_(std::move(run_id)) {}

  const std::vector<StreamEvent>& events() const { return events_; }
  bool has_ended() const { return !events_.empty() && is_end(events_.back()); }

  void move_to(const std::string& host) {
    host_ = host;
    stream_.reset();
  }

  void read_to(const std::string& name, seconds patience = seconds(90)) {
    const auto deadline = gp::steady_now() + patience;
    while (!has_ended() && gp::steady_now() < deadline) {
      if (read_one() && events_.back().name == name) return;
    }
  }

 private:
  bool read_one() {
    try {
      if (!stream_) stream_ = hosts().open_stream(host_, run_id_, static_cast<std::int64_t>(events_.size()));
      if (auto event = stream_->next(seconds(30))) {
        events_.push_back(std::move(*event));
        return true;
      }
    } catch (const std::exception&) {
      // cut; an EventSource comes back as well
    }
    stream_.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return false;
  }

  std::string run_id_;
  std::string host_ = "a";
  std::unique_ptr<support::EventStream> stream_;
  std::vector<StreamEvent> events_;
};

/// What the client saw is what the log holds, event for event: exactly 1..n, one end.
void check_exact(const std::string& run_id, const std::vector<StreamEvent>& events) {
  BOOST_REQUIRE(!events.empty());
  BOOST_TEST(events.back().name == "run_completed");
  std::string seen;
  for (std::size_t i = 0; i < events.size(); ++i) {
    BOOST_TEST(events[i].id == static_cast<std::int64_t>(i + 1));
    seen += fmt::format("{}{} {} {}", i == 0 ? "" : "\n", events[i].id, events[i].name,
                        gp::dump_json(events[i].data));
  }
  const std::string stored = hosts().sql(fmt::format(
      "SELECT id || ' ' || type || ' ' || data FROM generation_events WHERE run_id = '{}' ORDER BY id",
      run_id));
  BOOST_TEST((stored == seen), "the log of " << run_id << " is not what its client saw");
}

std::string of_run(const std::string& expression, const std::string& run_id) {
  return hosts().sql(fmt::format("SELECT {} FROM generation_runs WHERE run_id = '{}'", expression, run_id));
}

bool log_holds(const std::string& host, const std::string& text) {
  return hosts().worker_log(host).find(text) != std::string::npos;
}

/// The host whose worker has the run.
std::string owner_of(const std::string& run_id) {
  BOOST_REQUIRE(wait_until(
      [&] {
        return log_holds("a", "run_taken run_id=" + run_id) || log_holds("b", "run_taken run_id=" + run_id);
      },
      seconds(20)));
  return log_holds("a", "run_taken run_id=" + run_id) ? "a" : "b";
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnHosts);

BOOST_AUTO_TEST_SUITE(two_hosts)

BOOST_AUTO_TEST_CASE(a_run_that_is_started_on_one_host_is_streamed_on_the_other) {
  const std::string run_id = hosts().start("a", start_body("started_on_a"));
  Client client(run_id);
  client.move_to("b");
  client.read_to("run_completed");
  check_exact(run_id, client.events());
  BOOST_TEST(hosts().status("b", "started_on_a").at("status") == "complete");
}

BOOST_AUTO_TEST_CASE(a_host_that_is_cut_off_loses_its_run_to_the_other_and_does_no_harm_when_it_is_back) {
  hosts().set_rate("cut_off", 400);
  const std::string run_id = hosts().start("a", start_body("cut_off"));
  const std::string owner = owner_of(run_id);
  const std::string other = owner == "a" ? "b" : "a";
  Client client(run_id);
  client.move_to(owner);
  client.read_to("section_completed");
  hosts().act("cut " + owner);
  const auto cut = gp::steady_now();
  client.move_to(other);
  client.read_to("run_started");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(gp::steady_now() - cut);
  BOOST_TEST_MESSAGE("from the cut to the successor's run_started: " << took.count() << " ms");
  // The lease was renewed up to a beat before the cut; the queue is looked at every 2 s.
  BOOST_TEST((took < kLease + seconds(3)));
  // The one that is cut off does not know and goes on: its steps gather in its outbox.
  BOOST_TEST(wait_until([&] { return log_holds(owner, "run_ended run_id=" + run_id); }, seconds(60)));
  BOOST_TEST(hosts().outbox_rows(owner) > 0);
  client.read_to("run_completed");
  check_exact(run_id, client.events());

  hosts().act("mend " + owner);
  BOOST_TEST(wait_until([&] { return log_holds(owner, "lease_lost run_id=" + run_id); }, seconds(60)));
  BOOST_TEST(wait_until([&] { return hosts().outbox_rows(owner) == 0; }, seconds(20)));
  check_exact(run_id, client.events());
  Client late(run_id);
  late.move_to(owner);
  late.read_to("run_completed");
  check_exact(run_id, late.events());
  BOOST_TEST(of_run("takes", run_id) == "2");
  BOOST_TEST(hosts().status(owner, "cut_off").at("status") == "complete");
}

BOOST_AUTO_TEST_CASE(a_failover_loses_nothing_that_was_seen_not_even_what_the_standby_had_not_got) {
  constexpr int kRuns = 8;
  hosts().set_rate("fail_over", 250);
  std::vector<std::string> ids;
  for (int i = 0; i < kRuns; ++i)
    ids.push_back(hosts().start(i % 2 == 0 ? "a" : "b", start_body(fmt::format("fail_over_{}", i))));
  std::vector<Client> clients;
  for (int i = 0; i < kRuns; ++i) {
    clients.emplace_back(ids[static_cast<std::size_t>(i)]);
    clients.back().move_to(i % 3 == 0 ? "b" : "a");
    clients.back().read_to("section_started");
  }
  // From here on the standby gets nothing. Every client sees more, and one run even ends.
  hosts().act("hold-replication");
  for (Client& client : clients) client.read_to("section_completed");
  hosts().set_rate("fail_over_0", 5000);
  clients.front().read_to("run_completed");
  BOOST_TEST(clients.front().has_ended());
  hosts().act("kill-primary");
  hosts().act("promote");
  hosts().set_rate("fail_over", 5000);
  for (Client& client : clients) client.read_to("run_completed");
  const auto is_over = [&](const std::string& id) { return of_run("state", id) == "complete"; };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    BOOST_TEST(wait_until([&] { return is_over(ids[i]); }, seconds(30)),
               "run " << i << " is " << of_run("state", ids[i]));
    check_exact(ids[i], clients[i].events());
    BOOST_TEST(of_run("takes", ids[i]) == "1");
    BOOST_TEST(of_run("attempt", ids[i]) == "1");
    BOOST_TEST(hosts().status("a", fmt::format("fail_over_{}", i)).at("status") == "complete");
  }
  BOOST_TEST(hosts().calls("fail_over").size() == ids.size());  // and nothing was asked again
  BOOST_TEST((log_holds("a", "events_restored") || log_holds("b", "events_restored")));
  for (const char* host : {"a", "b"})
    BOOST_TEST(wait_until([&] { return hosts().outbox_rows(host) == 0; }, seconds(10)));
  BOOST_TEST(hosts().sql("SELECT count(*) FROM generation_runs WHERE lease_token IS NOT NULL") == "0");
  const std::string next = hosts().start("b", start_body("after_failover"));
  Client client(next);
  client.read_to("run_completed");
  check_exact(next, client.events());
}

BOOST_AUTO_TEST_SUITE_END()
