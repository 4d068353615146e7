#include "core/base/refreshed.h"

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/support/gate.h"

using gp::Refreshed;
using std::chrono::milliseconds;

namespace {

/// A fetch waits at it until it is let go. Shared by the test and the thread of the value, which may outlast
/// it.
std::shared_ptr<support::Gate> held_gate() {
  auto gate = std::make_shared<support::Gate>();
  gate->hold();
  return gate;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refreshed)

BOOST_AUTO_TEST_CASE(however_many_ask_it_is_fetched_once_until_it_is_too_old) {
  const auto fetches = std::make_shared<std::atomic<int>>(0);
  Refreshed<int> value([fetches] { return ++*fetches; }, std::chrono::hours(1), std::chrono::seconds(10));
  std::array<int, 8> got{};  // Boost.Test checks from one thread only
  {
    std::vector<std::jthread> askers;
    for (int& each : got) askers.emplace_back([&] { each = value.get().value(); });
  }
  BOOST_TEST((got == std::array<int, 8>{1, 1, 1, 1, 1, 1, 1, 1}));
  BOOST_TEST(fetches->load() == 1);
  Refreshed<int> short_lived([fetches] { return ++*fetches; }, milliseconds(-1), std::chrono::seconds(10));
  BOOST_TEST(short_lived.get().value() == 2);
  BOOST_TEST(short_lived.get().value() == 3);
}

BOOST_AUTO_TEST_CASE(a_fetch_that_hangs_costs_the_first_asker_the_patience_and_the_next_ones_nothing) {
  const auto gate = held_gate();
  Refreshed<int> value(
      [gate] {
        gate->pass();
        return 7;
      },
      std::chrono::hours(1), milliseconds(300));
  const auto begun = gp::steady_now();
  BOOST_TEST(!value.get().has_value());
  BOOST_TEST((gp::steady_now() - begun >= milliseconds(300)));
  const auto again = gp::steady_now();
  for (int i = 0; i < 100; ++i) BOOST_TEST(!value.get().has_value());
  BOOST_TEST((gp::steady_now() - again < milliseconds(250)));
  gate->release();
  const auto deadline = gp::steady_now() + std::chrono::seconds(20);
  std::optional<int> got;
  while (!(got = value.get()) && gp::steady_now() < deadline) std::this_thread::yield();
  BOOST_TEST(got.value() == 7);
}

BOOST_AUTO_TEST_CASE(its_end_does_not_wait_for_a_fetch_that_hangs) {
  const auto gate = held_gate();
  const auto begun = gp::steady_now();
  {
    Refreshed<int> value(
        [gate] {
          gate->pass();
          return 7;
        },
        std::chrono::hours(1), milliseconds(1));
    BOOST_TEST(!value.get().has_value());
  }
  BOOST_TEST((gp::steady_now() - begun < std::chrono::seconds(5)));
  gate->release();
}

BOOST_AUTO_TEST_SUITE_END()
