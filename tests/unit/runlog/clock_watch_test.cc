#include "core/runlog/clock_watch.h"

#include <boost/test/unit_test.hpp>

using gp::SteadyTime;
using gp::runlog::ClockWatch;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Two clocks of which each is moved by hand.
struct Clocks {
  milliseconds database{1'800'000'000'000};
  SteadyTime steady{seconds(5000)};
  ClockWatch watch{milliseconds(7500)};  // a quarter of a lease of 30 s

  void pass(milliseconds time) {
    database += time;
    steady += time;
  }
  bool has_jumped() { return watch.has_jumped(database, steady); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(clock_watch, Clocks)

BOOST_AUTO_TEST_CASE(the_first_look_has_nothing_to_compare_with) { BOOST_TEST(!has_jumped()); }

BOOST_AUTO_TEST_CASE(time_that_passes_for_both_is_no_jump_however_long) {
  has_jumped();
  pass(std::chrono::hours(24 * 30));
  BOOST_TEST(!has_jumped());
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_ahead_has_jumped_once) {
  has_jumped();
  pass(seconds(2));
  database += seconds(60);
  BOOST_TEST(has_jumped());
  pass(seconds(2));
  BOOST_TEST(!has_jumped());
}

BOOST_AUTO_TEST_CASE(a_little_is_tolerated_at_each_look) {
  has_jumped();
  database += milliseconds(7500);
  BOOST_TEST(!has_jumped());
  database += milliseconds(7501);
  BOOST_TEST(has_jumped());
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_has_not_jumped_but_has_where_it_returns) {
  has_jumped();
  database -= seconds(60);
  BOOST_TEST(!has_jumped());
  database += seconds(60);
  BOOST_TEST(has_jumped());
}

BOOST_AUTO_TEST_CASE(an_answer_that_comes_late_is_as_a_jump) {
  has_jumped();
  const SteadyTime asked = steady;
  pass(seconds(20));
  BOOST_TEST(watch.has_jumped(database, asked));
}

BOOST_AUTO_TEST_SUITE_END()
