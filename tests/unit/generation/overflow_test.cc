#include "core/generation/overflow.h"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using gp::generation::Overflow;
using gp::project::Step;

namespace {

const gp::RunId kRun("0a7a3f0e-1111-4222-8333-444455556666");
const gp::RunId kOther("0a7a3f0e-1111-4222-8333-444455557777");
const gp::LeaseToken kLease("1b7a3f0e-1111-4222-8333-444455556666");
const gp::LeaseToken kOtherLease("1b7a3f0e-1111-4222-8333-444455557777");

Step step(const gp::RunId& run, const gp::LeaseToken& lease, std::int64_t id) {
  return {run, lease, {id, gp::project::EventType::kSectionStarted, gp::Json::object()}, "{}", {}};
}

std::vector<std::int64_t> ids_of(const Overflow::Taken& taken) {
  std::vector<std::int64_t> ids;
  for (const Step& each : taken.steps) ids.push_back(each.event.id);
  return ids;
}

/// A run with a step in the spool and two in memory, then one of another run in memory.
struct Waiting {
  Overflow overflow;
  Waiting() {
    BOOST_TEST(!overflow.follow(step(kRun, kLease, 1)));
    BOOST_TEST(!overflow.follow(step(kRun, kLease, 2)));
    overflow.keep(step(kRun, kLease, 2));
    BOOST_TEST(overflow.follow(step(kRun, kLease, 3)));
    BOOST_TEST(!overflow.follow(step(kOther, kOtherLease, 7)));
    overflow.keep(step(kOther, kOtherLease, 7));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(overflow_in_memory, Waiting)

BOOST_AUTO_TEST_CASE(a_step_waits_behind_those_of_its_run_and_no_other) {
  BOOST_TEST(overflow.size() == 3u);
  BOOST_TEST((ids_of(overflow.look({.count = 3, .most = 9})) == std::vector<std::int64_t>{2, 3, 7}));
}

BOOST_AUTO_TEST_CASE(no_more_are_taken_than_were_there_or_there_is_room_for) {
  BOOST_TEST((ids_of(overflow.look({.count = 2, .most = 9})) == std::vector<std::int64_t>{2, 3}));
  BOOST_TEST((ids_of(overflow.look({.count = 3, .most = 1})) == std::vector<std::int64_t>{2}));
  BOOST_TEST(overflow.look({.count = 3, .most = 0}).steps.empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_is_set_aside_is_passed_over) {
  const std::vector<std::string> beside{kRun.str()};
  const auto taken = overflow.look({.count = 3, .most = 9, .beside = beside});
  BOOST_TEST((ids_of(taken) == std::vector<std::int64_t>{7}));
  overflow.remove(taken.places);
  BOOST_TEST((ids_of(overflow.look({.count = 2, .most = 9})) == std::vector<std::int64_t>{2, 3}));
}

BOOST_AUTO_TEST_CASE(what_follows_a_step_in_a_spool_that_cannot_be_read_waits_for_it) {
  BOOST_TEST((ids_of(overflow.look({.count = 3, .most = 9, .is_spool_unread = true})) ==
              std::vector<std::int64_t>{7}));
  overflow.forget_spooled(step(kRun, kLease, 1));
  BOOST_TEST((ids_of(overflow.look({.count = 3, .most = 9, .is_spool_unread = true})) ==
              std::vector<std::int64_t>{2, 3, 7}));
}

BOOST_AUTO_TEST_CASE(a_lease_is_undecided_until_its_last_step_is_decided_wherever_that_is) {
  const std::vector<std::size_t> first_two{0, 1};
  overflow.remove(first_two);
  BOOST_TEST(overflow.has_undecided(kLease));  // the one in the spool
  overflow.forget_spooled(step(kRun, kLease, 1));
  BOOST_TEST(!overflow.has_undecided(kLease));
  BOOST_TEST(overflow.has_undecided(kOtherLease));
  overflow.forget_spooled(step(kRun, kLease, 1));  // a dead worker's: it was never counted
  BOOST_TEST(!overflow.follow(step(kRun, kLease, 4)));
  BOOST_TEST(overflow.has_undecided(kLease));
}

BOOST_AUTO_TEST_SUITE_END()
