#include "core/runlog/lost_run_watch.h"

#include <chrono>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"

using gp::RunId;
using gp::runlog::EndOutcome;
using gp::runlog::LostRunWatch;
using gp::runlog::Sweep;
using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

struct Ends {
  std::vector<RunId> asked;
  EndOutcome outcome = EndOutcome::kEnded;
  bool is_away = false;

  LostRunWatch watch(milliseconds grace, milliseconds lock_rest = hours(1)) {
    return LostRunWatch(
        [this](const RunId& run_id) {
          asked.push_back(run_id);
          if (is_away) throw gp::Error(gp::ErrorKind::kUnavailable, "away");
          return outcome;
        },
        {grace, lock_rest});
  }
};

const Sweep kTwoLost{
    .behind = {}, .lost = {RunId(gp::make_uuid()), RunId(gp::make_uuid())}, .database_clock = hours(1)};

Sweep later(hours by) {
  Sweep sweep = kTwoLost;
  sweep.database_clock += by;
  return sweep;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lost_run_watch, Ends)

BOOST_AUTO_TEST_CASE(all_that_a_sweep_calls_lost_is_ended) {
  auto watch = this->watch(milliseconds(0));
  watch.note_connection();
  BOOST_TEST((watch.end_lost(kTwoLost, gp::steady_now()) == kTwoLost.lost));
  BOOST_TEST((asked == kTwoLost.lost));
}

BOOST_AUTO_TEST_CASE(nothing_is_ended_for_a_grace_after_a_connection) {
  auto watch = this->watch(hours(1));
  watch.note_connection();
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).empty());
  BOOST_TEST(asked.empty());
}

BOOST_AUTO_TEST_CASE(a_database_whose_clock_has_jumped_begins_the_grace_anew) {
  auto watch = this->watch(milliseconds(200));
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).size() == 2u);
  BOOST_TEST(watch.end_lost(later(hours(1)), gp::steady_now()).empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_ended_begins_the_grace_and_those_after_it_are_left) {
  auto watch = this->watch(milliseconds(200));
  is_away = true;
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).empty());
  BOOST_TEST(asked.size() == 1u);
  is_away = false;
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).empty());
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_CASE(after_a_locked_project_there_is_a_rest) {
  auto watch = this->watch(milliseconds(0));
  outcome = EndOutcome::kLocked;
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).size() == 1u);
  BOOST_TEST(watch.end_lost(kTwoLost, gp::steady_now()).empty());
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
