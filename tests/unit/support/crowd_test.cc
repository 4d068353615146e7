// The crowd against a server that does everything wrong that a server can do: it must report each fault.

#include "tests/support/crowd.h"

#include <atomic>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "tests/support/fcgi_peer.h"
#include "tests/unit/support/scripted_server.h"

using std::chrono::milliseconds;
using std::chrono::seconds;
using support::ClientState;
using support::Crowd;
using support::CrowdEvent;
using support::CrowdOptions;
using support::send_all;

namespace {

const std::string kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kEnd = "0\r\n\r\n";

std::string chunk(const std::string& text) { return fmt::format("{:x}\r\n{}\r\n", text.size(), text); }

std::string event(int id, const std::string& name = "section_started") {
  return fmt::format("id: {}\nevent: {}\ndata: {{\"number\":{}}}\n\n", id, name, id);
}

std::string events(int first, int last) {
  std::string text;
  for (int id = first; id <= last; ++id) text += event(id);
  return text;
}

CrowdOptions quick() {
  CrowdOptions options;
  options.retry = milliseconds(10);
  return options;
}

/// A crowd of one on a server that answers the n-th connection with the n-th of `answers`.
struct Played {
  std::vector<std::string> answers;
  ScriptedServer server{[this](int fd, int number) {
    if (static_cast<std::size_t>(number) < answers.size())
      send_all(fd, answers[static_cast<std::size_t>(number)]);
  }};
  Crowd crowd;

  explicit Played(std::vector<std::string> all, const CrowdOptions& options = quick(),
                  std::int64_t last_event_id = 0)
      : answers(std::move(all)), crowd(server.port(), options) {
    crowd.add("/events/stream?run_id=1", last_event_id);
    crowd.run_until([&] { return crowd.client(0).state >= ClientState::kDone; }, seconds(10));
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_stream_split_at_every_byte_is_read_whole) {
  const std::string bytes = kStreamHead + chunk("retry: 20\n" + event(1)) + chunk(": still here\n") +
                            chunk(event(2)) + chunk(event(3, "run_completed")) + kEnd;
  ScriptedServer server([&](int fd, int number) {
    send_all(fd, bytes.substr(0, static_cast<std::size_t>(number)));
    std::this_thread::sleep_for(milliseconds(1));  // so that the client sees two pieces
    send_all(fd, bytes.substr(static_cast<std::size_t>(number)));
  });
  std::vector<std::int64_t> ids;
  CrowdOptions options = quick();
  options.on_event = [&](const CrowdEvent& received) { ids.push_back(received.id); };
  Crowd crowd(server.port(), options);
  for (std::size_t i = 0; i < bytes.size(); ++i) crowd.add("/events/stream?run_id=1");
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().done == crowd.size(); }, seconds(20)));
  BOOST_TEST(crowd.totals().is_exact());
  BOOST_TEST(crowd.totals().events == 3 * bytes.size());
  BOOST_TEST(crowd.totals().comments == bytes.size());
  BOOST_TEST(ids.size() == 3 * bytes.size());
  BOOST_TEST(crowd.totals().reconnects == 0U);
}

BOOST_AUTO_TEST_CASE(a_cut_stream_is_continued_from_the_last_event) {
  Played played(
      {kStreamHead + chunk(events(1, 2)) + "5\r\nid: 3", kStreamHead + chunk(event(3, "run_completed"))});
  BOOST_TEST((played.crowd.client(0).state == ClientState::kDone));
  BOOST_TEST(played.crowd.totals().is_exact());
  BOOST_TEST(played.crowd.totals().cut == 1U);
  BOOST_TEST(played.crowd.client(0).reconnects == 1U);
  BOOST_TEST(played.server.requests().at(0).find("Last-Event-ID") == std::string::npos);
  BOOST_TEST(played.server.requests().at(1).find("Last-Event-ID: 2\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_ended_stream_is_continued_after_the_servers_retry_time) {
  CrowdOptions options;
  const auto begin = gp::steady_now();
  Played played({kStreamHead + chunk("retry: 200\n" + event(1)) + kEnd, "HTTP/1.1 204 No Content\r\n\r\n"},
                options);
  BOOST_TEST((gp::steady_now() - begin >= milliseconds(200)));
  BOOST_TEST((gp::steady_now() - begin < seconds(2)));
  BOOST_TEST((played.crowd.client(0).state == ClientState::kDone));
  BOOST_TEST(played.crowd.client(0).status == 204);
  BOOST_TEST(played.crowd.totals().ended == 1U);
  BOOST_TEST(played.crowd.totals().refused == 0U);
}

BOOST_AUTO_TEST_CASE(a_gap_is_counted_by_its_ids) {
  Played played({kStreamHead + chunk(event(1) + event(4) + event(5, "run_completed"))});
  BOOST_TEST(played.crowd.totals().gaps == 2U);
  BOOST_TEST(played.crowd.totals().repeats == 0U);
  BOOST_TEST(!played.crowd.totals().is_exact());
}

BOOST_AUTO_TEST_CASE(a_repeat_is_counted_also_over_a_reconnect) {
  Played played({kStreamHead + chunk(events(1, 3) + event(3)) + kEnd,
                 kStreamHead + chunk(events(2, 4)) + chunk(event(5, "run_completed"))});
  BOOST_TEST(played.crowd.client(0).repeats == 3U);
  BOOST_TEST(played.crowd.totals().gaps == 0U);
}

BOOST_AUTO_TEST_CASE(an_event_that_comes_late_is_a_disorder_and_no_repeat) {
  Played played({kStreamHead + chunk(event(1) + event(3) + event(2) + event(4, "run_completed"))});
  BOOST_TEST(played.crowd.totals().gaps == 1U);
  BOOST_TEST(played.crowd.totals().disorders == 1U);
  BOOST_TEST(played.crowd.totals().repeats == 0U);
}

BOOST_AUTO_TEST_CASE(an_event_without_an_id_is_counted) {
  Played played({kStreamHead + chunk("data: 1\n\nid: one\ndata: 2\n\n" + event(1, "error"))});
  BOOST_TEST(played.crowd.totals().unnumbered == 2U);
}

BOOST_AUTO_TEST_CASE(a_client_that_holds_events_counts_from_them) {
  Played played({kStreamHead + chunk(events(8, 9) + event(10, "run_completed"))}, quick(), 7);
  BOOST_TEST(played.crowd.totals().is_exact());
  BOOST_TEST(played.crowd.client(0).events == 3U);
  BOOST_TEST(played.server.requests().at(0).find("Last-Event-ID: 7\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(any_other_status_stops_the_client_for_good) {
  for (const std::string status : {"503 Service Unavailable", "404 Not Found", "500 Internal Server Error"}) {
    Played played({"HTTP/1.1 " + status + "\r\nContent-Length: 4\r\n\r\nnope"});
    BOOST_TEST((played.crowd.client(0).state == ClientState::kFailed));
    BOOST_TEST(played.crowd.totals().refused == 1U);
    BOOST_TEST(played.crowd.totals().failed == 1U);
    BOOST_TEST(played.server.requests().size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_response_that_is_no_event_stream_stops_the_client) {
  Played played({"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello"});
  BOOST_TEST((played.crowd.client(0).state == ClientState::kFailed));
  BOOST_TEST(played.crowd.totals().refused == 0U);
}

BOOST_AUTO_TEST_CASE(a_body_without_chunks_lasts_until_the_connection_ends) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  Played played({head + events(1, 2), head + event(3, "run_completed")});
  BOOST_TEST(played.crowd.totals().is_exact());
  BOOST_TEST(played.crowd.totals().ended == 1U);
  BOOST_TEST(played.crowd.totals().cut == 0U);
}

BOOST_AUTO_TEST_CASE(a_client_that_must_not_come_back_is_gone_after_its_first_response) {
  CrowdOptions options = quick();
  options.reconnects = false;
  Played played({kStreamHead + chunk(event(1))}, options);
  BOOST_TEST((played.crowd.client(0).state == ClientState::kGone));
  BOOST_TEST(played.crowd.totals().cut == 1U);
}

BOOST_AUTO_TEST_CASE(curl_reads_on_behind_the_last_event) {
  CrowdOptions options = quick();
  options.manner = CrowdOptions::Manner::kCurl;
  Played played(
      {kStreamHead + chunk(event(1) + event(2, "run_completed") + event(2, "run_completed")) + kEnd},
      options);
  BOOST_TEST((played.crowd.client(0).state == ClientState::kDone));
  BOOST_TEST(played.crowd.totals().repeats == 1U);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_away_is_tried_again) {
  Crowd crowd([] { return ScriptedServer([](int, int) {}).port(); }(), quick());
  crowd.add("/");
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().unreachable >= 3; }, seconds(5)));
  BOOST_TEST(crowd.client(0).reconnects >= 2U);
}

BOOST_AUTO_TEST_CASE(a_stalled_client_takes_nothing_until_it_is_resumed) {
  std::atomic<std::size_t> sent = 0;
  std::string body;
  for (int i = 0; i < 4000; ++i) body += chunk(event(i + 1) + ": " + std::string(1000, '-') + "\n");
  const std::string bytes = kStreamHead + body + chunk(event(4001, "run_completed")) + kEnd;
  ScriptedServer server([&](int fd, int) {
    const int small = 4096;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
      send_all(fd, bytes.substr(at, 1000));
      sent += 1000;
    }
  });
  Crowd crowd(server.port(), quick());
  const std::size_t stalled = crowd.add_stalled("/");
  crowd.run_for(milliseconds(300));
  BOOST_TEST((crowd.client(stalled).state == ClientState::kOpen));
  BOOST_TEST(crowd.totals().bytes < 2000U);
  BOOST_TEST(sent.load() < 200000U);
  crowd.resume(stalled);
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().done == 1; }, seconds(10)));
  BOOST_TEST(crowd.totals().events == 4001U);
  BOOST_TEST(crowd.totals().is_exact());
}

BOOST_AUTO_TEST_CASE(newcomers_connect_at_the_rate_they_are_told) {
  CrowdOptions options = quick();
  options.connects_per_second = 100;
  ScriptedServer server([](int fd, int) { send_all(fd, "HTTP/1.1 204 No Content\r\n\r\n"); });
  Crowd crowd(server.port(), options);
  for (int i = 0; i < 50; ++i) crowd.add("/");
  const auto begin = gp::steady_now();
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().done == 50; }, seconds(10)));
  BOOST_TEST((gp::steady_now() - begin >= milliseconds(480)));
}

BOOST_AUTO_TEST_CASE(a_released_client_does_not_come_back) {
  ScriptedServer server([](int fd, int) {
    send_all(fd, kStreamHead + chunk(event(1)));
    char byte = 0;
    (void)::recv(fd, &byte, 1, 0);  // until the client has gone
  });
  Crowd crowd(server.port(), quick());
  crowd.add("/");
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().events == 1; }, seconds(10)));
  crowd.release(0);
  crowd.run_for(milliseconds(50));
  BOOST_TEST((crowd.client(0).state == ClientState::kGone));
  BOOST_TEST(server.requests().size() == 1U);
}
