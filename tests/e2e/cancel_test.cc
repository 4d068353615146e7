// Cancelling a run over HTTP: how soon its call of the LLM is cut, and what everybody sees of it.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/e2e/metrics.h"
#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::EventStream;
using support::Reply;
using support::start_body;
using support::StreamEvent;

namespace {

constexpr int kSlots = 4;  // two worker processes with room for two runs each

struct Settings {
  Settings() {
    // A beat far longer than any case: what is found at once was found by its ring.
    OnStack::settings = {
        {"WORKER_PROCESSES", "2"}, {"WORKER_CONCURRENCY", "2"}, {"LEASE_S", "240"}, {"LEASE_BEAT_S", "120"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

/// A run that is being written, slowly, with the events so far.
struct Begun {
  explicit Begun(const std::string& name, double rate = 100) : body(start_body(name)) {
    stack().set_rate(name, rate);
    run_id = stack().start(body);
    stream = std::make_unique<EventStream>(stack().port(), "/events/stream?run_id=" + run_id);
  }
  void read_to(const std::string& event_name) {
    while (events.empty() || events.back().name != event_name) events.push_back(stream->next().value());
  }
  void read_to_the_end() {
    for (StreamEvent& event : stream->rest()) events.push_back(std::move(event));
  }

  Json body;
  std::string run_id;
  std::unique_ptr<EventStream> stream;
  std::vector<StreamEvent> events;
};

void check_cancelled(const Begun& run) {
  e2e::check_consistent(run.body, run.run_id, run.events);
  const Json& error = run.events.back().data;
  BOOST_TEST(error.value("code", "") == "cancelled");
  BOOST_TEST(error.at("retryable") == false);
  const Json told = stack().get("/runs/" + run.run_id).json();
  BOOST_TEST(told.at("state") == "error");
  BOOST_TEST(told.at("error").at("code") == "cancelled");
  BOOST_TEST(told.at("is_being_cancelled") == false);
}

void check_answer(const Reply& reply, int status, const std::string& state, const Json& error_code) {
  BOOST_TEST_CONTEXT(reply.body) {
    BOOST_TEST(reply.status == status);
    BOOST_TEST(reply.count("x-request-id") == 1);
    BOOST_TEST(reply.json().at("state") == state);
    BOOST_TEST(reply.json().at("error_code") == error_code);
  }
}

/// The end of the only call for `name`, once the journal has it.
Json ended_call(const std::string& name) {
  const auto deadline = gp::steady_now() + seconds(20);
  while (true) {
    const auto calls = stack().calls(name);
    BOOST_REQUIRE(calls.size() == 1u);
    if (!calls.front().at("ended_at").is_null() || gp::steady_now() > deadline) return calls.front();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cancel)

BOOST_AUTO_TEST_CASE(the_call_of_the_llm_is_cut_within_a_second_whichever_process_makes_it) {
  std::vector<std::unique_ptr<Begun>> runs;
  for (int i = 0; i < kSlots; ++i) runs.push_back(std::make_unique<Begun>(fmt::format("cut_{}", i)));
  for (auto& run : runs) run->read_to("plan_completed");
  int in_time = 0;
  for (int i = 0; i < kSlots; ++i) {
    Begun& run = *runs[static_cast<std::size_t>(i)];
    const std::string latest = gp::format_rfc3339(gp::wall_now() + seconds(1));
    check_answer(stack().cancel(run.run_id), 202, "running", nullptr);
    run.read_to_the_end();
    check_cancelled(run);
    const Json call = ended_call(fmt::format("cut_{}", i));
    BOOST_TEST(call.at("outcome") == "client_gone");
    in_time += call.at("ended_at").get<std::string>() <= latest ? 1 : 0;
  }
  BOOST_TEST(in_time >= kSlots - 1);  // a machine may stumble once
}

BOOST_AUTO_TEST_CASE(cancelling_again_says_that_the_run_is_cancelled) {
  Begun run("twice");
  run.read_to("section_started");
  BOOST_TEST(stack().cancel(run.run_id).status == 202);
  run.read_to_the_end();
  check_answer(stack().cancel(run.run_id), 200, "error", "cancelled");
  check_answer(stack().cancel(run.run_id), 200, "error", "cancelled");
  check_cancelled(run);
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_keeps_its_sections_and_is_started_again_by_the_same_post) {
  Begun run("resumed", 400);
  run.read_to("section_completed");
  stack().cancel(run.run_id);
  run.read_to_the_end();
  check_cancelled(run);
  stack().set_rate("resumed", 5000);
  const Reply again = stack().post_start(run.body);
  BOOST_TEST(again.status == 202);
  BOOST_TEST(again.json().at("run_id") == run.run_id);
  EventStream rest(stack().port(), "/events/stream?run_id=" + run.run_id,
                   {{"Last-Event-ID", std::to_string(run.events.size())}});
  for (StreamEvent& event : rest.rest()) run.events.push_back(std::move(event));
  e2e::check_consistent(run.body, run.run_id, run.events);
  BOOST_TEST(run.events.back().name == "run_completed");
  const auto calls = stack().calls("resumed");
  BOOST_REQUIRE(calls.size() == 2u);
  const Json inputs =
      gp::parse_json(calls[1].at("body").at("messages").at(1).at("content").get<std::string>());
  BOOST_TEST(inputs.at("wanted").size() < 3u);
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_in_the_queue_ends_at_once_and_calls_nobody) {
  std::vector<std::unique_ptr<Begun>> busy;
  for (int i = 0; i < kSlots; ++i) busy.push_back(std::make_unique<Begun>(fmt::format("busy_{}", i), 50));
  for (auto& run : busy) run->read_to("run_started");
  const double before = e2e::metric(R"(generate_project_runs_ended_total{outcome="cancelled"})");
  Begun waiting("waiting");
  check_answer(stack().cancel(waiting.run_id), 200, "error", "cancelled");
  waiting.read_to_the_end();
  check_cancelled(waiting);
  BOOST_TEST(waiting.events.size() == 1u);
  BOOST_TEST(stack().calls("waiting").empty());
  BOOST_TEST(e2e::metric(R"(generate_project_runs_ended_total{outcome="cancelled"})") >= before + 1);
  for (auto& run : busy) {
    stack().cancel(run->run_id);
    run->read_to_the_end();
    check_cancelled(*run);
  }
}

BOOST_AUTO_TEST_CASE(a_cancel_that_races_with_the_last_section_ends_the_run_one_way_and_only_once) {
  for (int i = 0; i < 8; ++i) {
    Begun run(fmt::format("race_{}", i), 4000);
    while (run.events.empty() || run.events.back().name != "section_completed" ||
           run.events.back().data.at("index") != run.events.back().data.at("total"))
      run.events.push_back(run.stream->next().value());
    const Reply reply = stack().cancel(run.run_id);
    BOOST_TEST((reply.status == 200 || reply.status == 202));
    run.read_to_the_end();
    e2e::check_consistent(run.body, run.run_id, run.events);
    const bool is_complete = run.events.back().name == "run_completed";
    if (!is_complete) BOOST_TEST(run.events.back().data.value("code", "") == "cancelled");
    check_answer(stack().cancel(run.run_id), 200, is_complete ? "complete" : "error",
                 is_complete ? Json(nullptr) : Json("cancelled"));
  }
}

BOOST_AUTO_TEST_CASE(a_complete_run_stays_complete_and_the_answer_says_so) {
  const std::string run_id = stack().start(start_body("complete"));
  const auto events = stack().follow(run_id);
  const Reply reply = stack().cancel(run_id);
  check_answer(reply, 200, "complete", nullptr);
  BOOST_TEST(reply.json().at("detail") == "The run was complete before it could be cancelled.");
  BOOST_TEST(stack().follow(run_id).size() == events.size());
  BOOST_TEST(stack().status("complete").at("status") == "complete");
}

BOOST_AUTO_TEST_CASE(a_hundred_cancels_at_once_are_one_end) {
  Begun run("hundred");
  run.read_to("plan_completed");
  std::mutex mutex;
  std::map<int, int> statuses;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 100; ++i) {
      callers.emplace_back([&] {
        const int status = stack().cancel(run.run_id).status;
        const std::lock_guard lock(mutex);
        ++statuses[status];
      });
    }
  }
  BOOST_TEST(statuses[200] + statuses[202] == 100);
  run.read_to_the_end();
  check_cancelled(run);
  BOOST_TEST(std::ranges::count(e2e::names_of(run.events), "error") == 1);
}

BOOST_AUTO_TEST_CASE(a_closed_browser_cancels_nothing) {
  Begun run("closed", 2000);
  run.read_to("run_started");
  run.stream.reset();
  const auto events = stack().follow(run.run_id);
  e2e::check_consistent(run.body, run.run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
}

BOOST_AUTO_TEST_CASE(workers_that_drain_still_hear_a_cancel_whichever_of_them_ends_first) {
  std::vector<std::unique_ptr<Begun>> runs;
  for (int i = 0; i < kSlots; ++i) runs.push_back(std::make_unique<Begun>(fmt::format("drained_{}", i), 20));
  for (auto& run : runs) run->read_to("run_started");
  ::kill(stack().pid_of("worker"), SIGTERM);
  for (auto& run : runs) {
    check_answer(stack().cancel(run->run_id), 202, "running", nullptr);
    run->read_to_the_end();  // long before the call, the drain or the beat would be over
    check_cancelled(*run);
  }
  stack().restart("worker");
}

BOOST_AUTO_TEST_CASE(what_is_no_run_cannot_be_cancelled) {
  BOOST_TEST(stack().cancel("7").status == 400);
  const Reply unknown = stack().cancel("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");
  BOOST_TEST(unknown.status == 404);
  BOOST_TEST(unknown.json().at("code") == "run_not_found");
}

BOOST_AUTO_TEST_SUITE_END()
