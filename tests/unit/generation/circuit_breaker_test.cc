#include "core/generation/circuit_breaker.h"

#include <atomic>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace {

using gp::generation::CircuitBreaker;
using std::chrono::milliseconds;

bool never() { return false; }

CircuitBreaker::Options quick(milliseconds rest) {
  return {.failures_to_open = 3, .first_rest = rest, .longest_rest = 4 * rest};
}

void fail(CircuitBreaker& breaker, int times) {
  for (int i = 0; i < times; ++i) breaker.wait_for_permit(never)->fail();
}

/// Would a call have to wait?
bool is_open(CircuitBreaker& breaker) {
  return !breaker.wait_for_permit([] { return true; });
}

milliseconds since(gp::SteadyTime begin) {
  return std::chrono::duration_cast<milliseconds>(gp::steady_now() - begin);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(circuit_breaker)

BOOST_AUTO_TEST_CASE(it_opens_after_failures_in_a_row_only) {
  CircuitBreaker breaker(quick(std::chrono::hours(1)));
  fail(breaker, 2);
  breaker.wait_for_permit(never)->succeed();
  fail(breaker, 2);
  BOOST_TEST(!is_open(breaker));
  fail(breaker, 1);
  BOOST_TEST(is_open(breaker));
}

BOOST_AUTO_TEST_CASE(a_call_that_ends_without_a_word_counts_as_nothing) {
  CircuitBreaker breaker(quick(std::chrono::hours(1)));
  fail(breaker, 2);
  for (int i = 0; i < 5; ++i) BOOST_TEST(breaker.wait_for_permit(never).has_value());
  BOOST_TEST(!is_open(breaker));
}

BOOST_AUTO_TEST_CASE(after_its_rest_one_call_is_on_trial_and_success_lets_everybody_through) {
  CircuitBreaker breaker(quick(milliseconds(100)));
  const auto begin = gp::steady_now();
  fail(breaker, 3);
  auto trial = breaker.wait_for_permit(never);
  BOOST_TEST(trial.has_value());
  BOOST_TEST(since(begin).count() >= 100);
  BOOST_TEST(is_open(breaker));  // for the second
  trial->succeed();
  BOOST_TEST(!is_open(breaker));
  BOOST_TEST(breaker.wait_for_permit(never).has_value());
}

BOOST_AUTO_TEST_CASE(a_failed_trial_doubles_the_rest_and_sends_those_who_wait_away) {
  CircuitBreaker breaker(quick(milliseconds(100)));
  fail(breaker, 3);
  auto trial = breaker.wait_for_permit(never);
  std::atomic<int> sent_away = 0;
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 4; ++i)
    waiting.emplace_back([&] { sent_away += breaker.wait_for_permit(never) ? 0 : 1; });
  std::this_thread::sleep_for(
      milliseconds(100));  // they wait: nobody is sent away before the trial has ended
  BOOST_TEST(sent_away == 0);
  const auto begin = gp::steady_now();
  trial->fail();
  waiting.clear();
  BOOST_TEST(sent_away == 4);
  BOOST_TEST(breaker.wait_for_permit(never).has_value());
  BOOST_TEST(since(begin).count() >= 200);
}

BOOST_AUTO_TEST_CASE(a_trial_that_is_stopped_lets_the_next_one_try) {
  CircuitBreaker breaker(quick(milliseconds(50)));
  fail(breaker, 3);
  breaker.wait_for_permit(never).reset();
  auto next = breaker.wait_for_permit(never);
  BOOST_TEST(next.has_value());
  next->succeed();
  BOOST_TEST(!is_open(breaker));
}

BOOST_AUTO_TEST_CASE(a_call_from_before_that_fails_late_is_no_trial) {
  CircuitBreaker breaker(quick(milliseconds(50)));
  auto late = breaker.wait_for_permit(never);
  fail(breaker, 3);
  auto trial = breaker.wait_for_permit(never);
  late->fail();
  BOOST_TEST(is_open(breaker));
  trial->succeed();
  BOOST_TEST(!is_open(breaker));
}

BOOST_AUTO_TEST_CASE(a_provider_that_asks_for_patience_opens_nothing) {
  CircuitBreaker breaker(quick(std::chrono::hours(1)));
  fail(breaker, 2);
  for (int i = 0; i < 5; ++i) breaker.wait_for_permit(never)->postpone(milliseconds(10));
  BOOST_TEST(!is_open(breaker));
  fail(breaker, 1);
  BOOST_TEST(is_open(breaker));
}

BOOST_AUTO_TEST_CASE(a_trial_that_is_asked_to_wait_has_not_failed_and_the_next_one_waits_so_long) {
  CircuitBreaker breaker(quick(milliseconds(100)));
  fail(breaker, 3);
  auto trial = breaker.wait_for_permit(never);
  std::atomic<int> let_through = 0;
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([&] {
      if (auto permit = breaker.wait_for_permit(never)) {
        ++let_through;
        permit->succeed();
      }
    });
  }
  const auto begin = gp::steady_now();
  trial->postpone(milliseconds(200));
  waiting.clear();
  BOOST_TEST(since(begin).count() >= 200);
  BOOST_TEST(let_through == 3);
}

BOOST_AUTO_TEST_CASE(a_trial_is_never_put_off_for_longer_than_the_longest_rest) {
  CircuitBreaker breaker(quick(milliseconds(50)));
  fail(breaker, 3);
  const auto begin = gp::steady_now();
  breaker.wait_for_permit(never)->postpone(std::chrono::hours(1));
  BOOST_TEST(breaker.wait_for_permit(never).has_value());
  BOOST_TEST((since(begin) < std::chrono::seconds(30)));
}

BOOST_AUTO_TEST_SUITE_END()
