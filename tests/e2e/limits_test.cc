// One owner, one full queue, one poison run: the others go on.

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "tests/e2e/metrics.h"
#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::seconds;
using support::Reply;
using support::start_body;

namespace {

constexpr int kPerOwner = 2;
constexpr int kQueue = 4;
constexpr int kTakes = 3;

struct Settings {
  Settings() {
    OnStack::settings = {{"WORKER_PROCESSES", "2"},
                         {"WORKER_CONCURRENCY", "10"},
                         {"RUNS_MAX_PER_OWNER", std::to_string(kPerOwner)},
                         {"QUEUE_MAX_RUNS", std::to_string(kQueue)},
                         {"RUN_MAX_TAKES", std::to_string(kTakes)},
                         {"RUN_TAKEOVER_WAIT_S", "1"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

Json body_of(const std::string& name, const std::string& owner) {
  Json body = start_body(name);
  body["owner_email"] = owner + "@school.ae";
  return body;
}

std::string select(const std::string& expression) {
  std::string text = support::run_or_throw(
      fmt::format("psql -qAt '{}' -c \"SELECT {}\"", stack().database_url(), expression));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Waits until the database says so.
bool comes_true(const std::string& expression) {
  const auto deadline = gp::steady_now() + seconds(60);
  while (select(expression) != "t") {
    if (gp::steady_now() > deadline) return false;
  }
  return true;
}

/// Waits until the LLM was called so often: the journal has a call when it begins.
bool calls_become(const std::string& match, std::size_t count) {
  const auto deadline = gp::steady_now() + seconds(60);
  while (stack().calls(match).size() != count) {
    if (gp::steady_now() > deadline) return false;
  }
  return true;
}

void kill_workers() { support::run(fmt::format("pkill -KILL -P {}", stack().pid_of("worker"))); }

/// The most calls of the journal that were open at the same time.
std::size_t most_at_once(const std::vector<Json>& calls) {
  std::size_t most = 0;
  for (const Json& call : calls) {
    const auto at = call.at("begun_at").get<std::string>();
    most = std::max(most, static_cast<std::size_t>(std::ranges::count_if(calls, [&](const Json& other) {
                      return other.at("begun_at").get<std::string>() <= at &&
                             other.at("ended_at").get<std::string>() > at;
                    })));
  }
  return most;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(limits)

BOOST_AUTO_TEST_CASE(an_owner_with_many_runs_has_its_share_and_the_others_pass_it) {
  stack().set_rate("shared_out", 1500);
  std::vector<std::string> runs;
  for (int i = 0; i < kPerOwner + kQueue - 1; ++i) {
    runs.push_back(stack().start(body_of(fmt::format("shared_out_{}", i), "anna")));
    // Of those that are not over, all but its share wait: room in the queue for the next.
    BOOST_TEST(comes_true(fmt::format("count(*) < {} FROM generation_runs WHERE state = 'queued'", kQueue)));
  }
  const Json other = body_of("passes", "badr");
  const std::string passing = stack().start(other);
  BOOST_TEST(stack().follow(passing).back().name == "run_completed");
  BOOST_TEST(stack().get("/runs/" + runs.back()).json().at("state") != "complete");
  for (const std::string& run_id : runs) BOOST_TEST(stack().follow(run_id).back().name == "run_completed");
  const auto calls = stack().calls("shared_out");
  BOOST_TEST(calls.size() == runs.size());
  BOOST_TEST(most_at_once(calls) <= static_cast<std::size_t>(kPerOwner));
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_new_runs_and_still_answers_for_those_it_has) {
  stack().set_rate("fills", 30);
  std::vector<std::string> runs;
  for (int i = 0; i < kPerOwner; ++i)
    runs.push_back(stack().start(body_of(fmt::format("fills_{}", i), "carla")));
  BOOST_TEST(comes_true(
      fmt::format("count(*) = {} FROM generation_runs WHERE state = 'running' AND owner_email LIKE 'carla%'",
                  kPerOwner)));
  for (int i = 0; i < kQueue; ++i)
    runs.push_back(stack().start(body_of(fmt::format("fills_{}", kPerOwner + i), "carla")));

  const Reply refused = stack().post_start(body_of("one_too_many", "dana"));
  BOOST_TEST(refused.status == 429);
  BOOST_TEST(refused.header("content-type") == "application/problem+json");
  BOOST_TEST(refused.json().at("code") == "queue_full");
  BOOST_TEST(std::stoi(refused.header("retry-after")) > 2);
  BOOST_TEST(e2e::metric("generate_project_starts_refused_total") >= 1);
  const auto by_hand =
      support::run(std::string(GP_BUILD_DIR) +
                       "/handlers/generate-project run --project-id by_hand --chat-id c --topic Fractions "
                       "--owner-email dana@school.ae",
                   {{"DATABASE_URL", stack().database_url()},
                    {"GP_ETC_DIR", "/nonexistent"},
                    {"QUEUE_MAX_RUNS", std::to_string(kQueue)}});
  BOOST_TEST(by_hand.exit_code == 69);
  BOOST_TEST(by_hand.output.find("QUEUE_MAX_RUNS") != std::string::npos, by_hand.output);
  const Reply waiting = stack().post_start(body_of(fmt::format("fills_{}", kPerOwner), "carla"));
  BOOST_TEST(waiting.status == 200);
  BOOST_TEST(waiting.json().at("run_id") == runs[kPerOwner]);

  for (const std::string& run_id : runs) stack().cancel(run_id);
  for (const std::string& run_id : runs) BOOST_TEST(stack().follow(run_id).back().name == "error");
  BOOST_TEST(stack().post_start(body_of("one_too_many", "dana")).status == 202);
}

BOOST_AUTO_TEST_CASE(a_run_that_kills_its_workers_is_given_up_and_the_others_go_on) {
  const Json body = body_of("poison", "evil");
  stack().set_rate("poison", 50);
  const std::string run_id = stack().start(body);
  for (int take = 1; take <= kTakes; ++take) {
    BOOST_TEST(comes_true(fmt::format(
        "state = 'running' AND takes = {} AND next_event_id > {} FROM generation_runs WHERE run_id = '{}'",
        take, take, run_id)));
    BOOST_TEST(calls_become("poison", static_cast<std::size_t>(take)));
    kill_workers();
  }
  const auto events = stack().follow(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().data.value("code", "") == "worker_crashed");
  BOOST_TEST(events.back().data.at("retryable") == false);
  BOOST_TEST(e2e::metric("generate_project_runs_given_up_total") >= 1);
  BOOST_TEST(stack().calls("poison").size() == static_cast<std::size_t>(kTakes));
  BOOST_TEST(stack().follow(stack().start(body_of("after_poison", "fatma"))).back().name == "run_completed");
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_read_back_ends_alone) {
  const std::string run_id = gp::make_uuid();
  support::run_or_throw(
      fmt::format("psql -q '{}' -c \"INSERT INTO generation_runs (run_id, project_id, chat_id, request, "
                  "owner_email) VALUES "
                  "('{}', 'unreadable', 'c', '[1]', 'x@school.ae')\"",
                  stack().database_url(), run_id));
  const std::string good = stack().start(body_of("beside_unreadable", "hind"));
  const auto events = stack().follow(run_id);
  BOOST_REQUIRE(events.size() == 1u);
  BOOST_TEST(events.front().name == "error");
  BOOST_TEST(events.front().data.at("code") == "internal");
  BOOST_TEST(stack().follow(good).back().name == "run_completed");
  BOOST_TEST(stack().get("/runs/" + run_id).json().at("error").at("code") == "internal");
}

BOOST_AUTO_TEST_SUITE_END()
