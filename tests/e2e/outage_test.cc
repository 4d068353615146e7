// What happens when a part of the service is away: nothing is lost, and everybody is told the truth.

#include <csignal>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/e2e/on_stack.h"
#include "tests/support/program.h"
#include "tests/support/wait.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::seconds;
using support::EventStream;
using support::start_body;

namespace {

struct Settings {
  Settings() {
    OnStack::settings = {{"SSE_KEEPALIVE_S", "1"},
                         {"LEASE_S", "4"},
                         {"LEASE_BEAT_S", "1"},
                         {"LOST_AFTER_S", "2"},
                         {"WORKER_PROCESSES", "2"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

std::string stream_of(const std::string& run_id) { return "/events/stream?run_id=" + run_id; }

std::vector<pid_t> children_of(const std::string& pool) { return support::children_of(stack().pid_of(pool)); }

void kill_children(const std::string& pool) {
  for (const int pid : children_of(pool)) ::kill(pid, SIGKILL);
}

/// The events of a run, by as many connections as it takes.
std::vector<support::StreamEvent> follow_over_breaks(const std::string& run_id) {
  std::vector<support::StreamEvent> events;
  const auto deadline = gp::steady_now() + seconds(120);
  while (gp::steady_now() < deadline) {
    try {
      EventStream stream(stack().port(), stream_of(run_id),
                         {{"Last-Event-ID", std::to_string(events.size())}});
      while (auto event = stream.next()) {
        events.push_back(std::move(*event));
        if (events.back().name == "run_completed" || events.back().name == "error") return events;
      }
    } catch (const std::exception&) {
      // cut; an EventSource would come back as well
    }
    support::run("sleep 0.2");
  }
  return events;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outage)

BOOST_AUTO_TEST_CASE(a_database_that_goes_away_in_the_middle_costs_nothing) {
  const Json body = start_body("database_away");
  stack().set_rate("database_away", 700);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), stream_of(run_id));
  std::vector<support::StreamEvent> events;
  while (events.size() < 4)
    events.push_back(*stream.next());  // run_started, plan, section_started, section_completed
  stack().stop_database();

  // Callers are told to come back; liveness is not disturbed; the stream stays open and says why.
  const auto refused = stack().post_start(start_body("while_away"));
  BOOST_TEST(refused.status == 503);
  BOOST_TEST(!refused.header("retry-after").empty());
  BOOST_TEST(refused.json().at("code") == "database_unavailable");
  BOOST_TEST(stack().get("/status/database_away").status == 503);
  const auto not_cancelled = stack().cancel(run_id);
  BOOST_TEST(not_cancelled.status == 503);
  BOOST_TEST(!not_cancelled.header("retry-after").empty());
  BOOST_TEST(stack().get("/health").status == 200);
  BOOST_TEST(stream.wait_for_text("unavailable", seconds(20)), stream.raw());
  support::run("sleep 3");  // the LLM ends meanwhile

  stack().start_database();
  for (auto& event : stream.rest()) events.push_back(std::move(event));
  if (events.back().name != "run_completed") {
    for (auto& event : follow_over_breaks(run_id)) {
      if (event.id > static_cast<std::int64_t>(events.size())) events.push_back(std::move(event));
    }
  }
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  BOOST_TEST(stack().calls("database_away").size() == 1u);  // P3: nothing was paid for twice
  BOOST_TEST(stack().post_start(start_body("while_away")).status == 202);
}

BOOST_AUTO_TEST_CASE(a_server_process_that_stands_still_under_a_stream_is_left_for_another_one) {
  const Json body = start_body("standing_still");
  stack().set_rate("standing_still", 700);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), stream_of(run_id));
  std::vector<support::StreamEvent> events = {*stream.next()};
  const std::string backends = support::run_or_throw(
      fmt::format("psql -qAt '{}' -c \"SELECT pid FROM pg_stat_activity WHERE application_name = "
                  "'generate-project events'\"",
                  stack().database_url()));
  std::vector<int> pids;
  std::istringstream lines(backends);
  for (int pid = 0; lines >> pid;) pids.push_back(pid);
  BOOST_REQUIRE(!pids.empty());
  for (const int pid : pids) ::kill(pid, SIGSTOP);
  for (auto& event : stream.rest()) events.push_back(std::move(event));  // to the end, and they still stand
  for (const int pid : pids) ::kill(pid, SIGCONT);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  BOOST_TEST(stream.raw().find("unavailable") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_killed_has_a_successor_that_keeps_its_sections) {
  const Json body = start_body("worker_killed");
  stack().set_rate("worker_killed", 700);
  const std::string run_id = stack().start(body);
  {
    EventStream stream(stack().port(), stream_of(run_id));
    while (stream.next()->name != "section_completed") continue;
  }
  kill_children("worker");
  const auto events = follow_over_breaks(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  const auto calls = stack().calls("worker_killed");
  BOOST_REQUIRE(calls.size() == 2u);
  const Json inputs =
      gp::parse_json(calls[1].at("body").at("messages").at(1).at("content").get<std::string>());
  BOOST_TEST(inputs.at("wanted").size() < 3u);
}

BOOST_AUTO_TEST_CASE(a_cancel_whose_ring_is_lost_is_found_at_the_next_beat) {
  const Json body = start_body("ring_lost");
  stack().set_rate("ring_lost", 100);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), stream_of(run_id));
  std::vector<support::StreamEvent> events = {*stream.next()};
  support::run_or_throw(fmt::format(
      "psql -q '{}' -c \"UPDATE generation_runs SET cancel_attempt = attempt WHERE run_id = '{}'\"",
      stack().database_url(), run_id));
  for (auto& event : stream.rest()) events.push_back(std::move(event));
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().data.value("code", "") == "cancelled");
}

BOOST_AUTO_TEST_CASE(a_run_that_is_cancelled_while_its_worker_is_dead_is_ended_by_the_successor) {
  const Json body = start_body("cancelled_dead");
  stack().set_rate("cancelled_dead", 300);
  const std::string run_id = stack().start(body);
  {
    EventStream stream(stack().port(), stream_of(run_id));
    while (stream.next()->name != "section_completed") continue;
  }
  // Stopped, so that nobody hears the ring; then dead, so that a successor takes the run over.
  for (const int pid : children_of("worker")) ::kill(pid, SIGSTOP);
  BOOST_TEST(stack().cancel(run_id).status == 202);
  BOOST_TEST(stack().get("/runs/" + run_id).json().at("is_being_cancelled") == true);
  kill_children("worker");
  const auto events = follow_over_breaks(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().data.value("code", "") == "cancelled");
  BOOST_TEST(stack().calls("cancelled_dead").size() == 1u);  // nothing was asked again
  BOOST_TEST(stack().cancel(run_id).status == 200);
}

BOOST_AUTO_TEST_CASE(a_run_without_any_worker_ends_in_error_and_goes_on_when_it_is_started_again) {
  const Json body = start_body("no_worker_left");
  stack().set_rate("no_worker_left", 300);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), stream_of(run_id));
  std::vector<support::StreamEvent> events;
  while (events.empty() || events.back().name != "section_completed") events.push_back(*stream.next());
  // The whole pool at once, as when its host dies: stopped children cannot follow their master's end.
  const auto children = children_of("worker");
  for (const int pid : children) ::kill(pid, SIGSTOP);
  ::kill(stack().pid_of("worker"), SIGKILL);
  for (const int pid : children) ::kill(pid, SIGKILL);

  for (auto& event : stream.rest()) events.push_back(std::move(event));
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "error");
  BOOST_TEST(events.back().data.at("code") == "worker_lost");
  BOOST_TEST(events.back().data.at("retryable") == true);

  stack().restart("worker");
  stack().set_rate("no_worker_left", 5000);
  BOOST_TEST(stack().post_start(body).status == 202);
  EventStream again(stack().port(), stream_of(run_id), {{"Last-Event-ID", std::to_string(events.size())}});
  for (auto& event : again.rest()) events.push_back(std::move(event));
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  const auto calls = stack().calls("no_worker_left");
  BOOST_REQUIRE(calls.size() == 2u);
  const Json inputs =
      gp::parse_json(calls[1].at("body").at("messages").at(1).at("content").get<std::string>());
  BOOST_TEST(inputs.at("wanted").size() < 3u);
}

BOOST_AUTO_TEST_CASE(a_stream_process_that_is_killed_is_replaced_and_its_clients_come_back) {
  const Json body = start_body("stream_killed");
  stack().set_rate("stream_killed", 1500);
  const std::string run_id = stack().start(body);
  {
    EventStream stream(stack().port(), stream_of(run_id));
    BOOST_TEST(stream.next()->name == "run_started");
  }
  kill_children("events");
  const auto events = follow_over_breaks(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
}

BOOST_AUTO_TEST_CASE(a_client_that_reads_nothing_disturbs_nobody) {
  const std::string run_id = stack().start(start_body("slow_client"));
  std::vector<std::unique_ptr<EventStream>> idle;
  for (int i = 0; i < 50; ++i)
    idle.push_back(std::make_unique<EventStream>(stack().port(), stream_of(run_id)));
  e2e::check_consistent(start_body("slow_client"), run_id, stack().follow(run_id));
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_gone_is_a_clear_answer_and_no_end_for_streams) {
  const std::string run_id = stack().start(start_body("pool_gone"));
  stack().follow(run_id);
  for (const char* pool : {"status", "events"}) ::kill(stack().pid_of(pool), SIGTERM);
  support::wait_until([] { return stack().get("/status/pool_gone").status == 503; }, seconds(20));
  const auto reply = stack().get("/status/pool_gone");
  BOOST_TEST(reply.status == 503);
  BOOST_TEST(reply.header("content-type") == "application/problem+json");
  BOOST_TEST(reply.json().at("code") == "service_unavailable");
  BOOST_TEST(!reply.header("retry-after").empty());
  BOOST_TEST(reply.count("x-request-id") == 1);
  // The handler answers itself until it has ended, then nginx does: each says when to come back.
  const auto open_stream = [&] {
    auto stream = stack().get(stream_of(run_id));
    BOOST_TEST(stream.status == 200);
    BOOST_TEST(stream.header("content-type") == "text/event-stream; charset=utf-8");
    BOOST_TEST(stream.body.starts_with("retry: "));
    return stream.body;
  };
  const auto is_nginx_answering = [&] {
    return open_stream().ends_with(": the service is being restarted\n");
  };
  BOOST_TEST(support::wait_until(is_nginx_answering, seconds(20)));
  BOOST_TEST(stack().get("/health").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
