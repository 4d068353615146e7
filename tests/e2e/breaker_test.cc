// A provider that is down is asked by one call at a time, and what waits goes on when it is back. One that
// asks to wait is not down.

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/e2e/on_stack.h"
#include "tests/support/wait.h"

using e2e::OnStack;
using e2e::stack;
using std::chrono::seconds;
using support::start_body;

namespace {

constexpr int kConcurrency = 4;
constexpr int kRuns = 2 * kConcurrency;
constexpr int kCallsEach = 6;

struct Settings {
  Settings() {
    OnStack::settings = {{"WORKER_PROCESSES", "1"},
                         {"WORKER_CONCURRENCY", std::to_string(kConcurrency)},
                         {"LLM_MAX_CALLS", std::to_string(kCallsEach)}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

std::string state_of(const std::string& run_id) {
  return stack().get("/runs/" + run_id).json().at("state").get<std::string>();
}

/// Waits until so many of `runs` have ended in error; false where that takes a minute.
bool wait_for_errors(const std::vector<std::string>& runs, std::ptrdiff_t count) {
  return support::wait_until([&] { return std::ranges::count(runs, "error", state_of) >= count; },
                             seconds(60));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(breaker)

BOOST_AUTO_TEST_CASE(a_provider_that_is_down_is_asked_by_one_call_at_a_time_until_it_is_back) {
  stack().arm({{"fault", "overloaded"}, {"match", "down_"}, {"times", -1}});
  std::vector<std::string> runs;
  for (int i = 0; i < kRuns; ++i) runs.push_back(stack().start(start_body(fmt::format("down_{}", i))));

  // All that run fail once, which opens the breaker. The one on trial fails too, and the others give up.
  BOOST_REQUIRE(wait_for_errors(runs, kConcurrency - 1));
  const auto calls = stack().calls("down_").size();
  BOOST_TEST(calls > static_cast<std::size_t>(kConcurrency));
  BOOST_TEST(calls <= 2u * kConcurrency + 1);  // a call may have been under way when the breaker opened
  BOOST_TEST(calls < static_cast<std::size_t>((kConcurrency - 1) * kCallsEach));  // what they would have made

  stack().disarm();
  std::ptrdiff_t completed = 0;
  for (int i = 0; i < kRuns; ++i) {
    const auto events = stack().follow(runs[static_cast<std::size_t>(i)]);
    e2e::check_consistent(start_body(fmt::format("down_{}", i)), runs[static_cast<std::size_t>(i)], events);
    if (events.back().name == "run_completed") {
      ++completed;
    } else {
      BOOST_TEST(events.back().data.at("code") == "llm_unavailable");
      BOOST_TEST(events.back().data.at("retryable") == true);
    }
  }
  BOOST_TEST(completed >= kRuns - kConcurrency);
}

BOOST_AUTO_TEST_CASE(runs_that_are_told_to_come_again_later_do_and_complete) {
  constexpr int kRefusals = 3 * kConcurrency;
  stack().arm({{"fault", "rate_limit"}, {"match", "busy_"}, {"times", kRefusals}, {"retry_after_s", 0.5}});
  std::vector<std::string> runs;
  for (int i = 0; i < kRuns; ++i) runs.push_back(stack().start(start_body(fmt::format("busy_{}", i))));
  for (const std::string& run : runs) BOOST_TEST(stack().follow(run).back().name == "run_completed");
  BOOST_TEST(stack().calls("busy_").size() == static_cast<std::size_t>(kRefusals + kRuns));
}

BOOST_AUTO_TEST_SUITE_END()
