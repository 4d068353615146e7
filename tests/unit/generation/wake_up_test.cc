#include "core/generation/wake_up.h"

#include <vector>

#include <boost/test/unit_test.hpp>
#include <poll.h>
#include <sys/eventfd.h>

#include "core/base/unique_fd.h"

using gp::UniqueFd;
using gp::generation::WakeUp;
using gp::generation::WorkerSlot;
using gp::runlog::Rings;

namespace {

/// Two workers of one pool, as their master makes them.
struct Pool {
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  UniqueFd first_wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  UniqueFd second_wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::vector<int> wake_fds{first_wake.get(), second_wake.get()};
  WakeUp first{WorkerSlot{0, stop.get(), wake_fds}};
  WakeUp second{WorkerSlot{1, stop.get(), wake_fds}};
};

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

void check(const Rings& rings, bool queue, bool cancels) {
  BOOST_TEST(rings.queue == queue);
  BOOST_TEST(rings.cancels == cancels);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(wake_up, Pool)

BOOST_AUTO_TEST_CASE(what_is_passed_on_reaches_the_others_and_says_what_it_is_about) {
  first.pass_on({.queue = true, .cancels = false});
  BOOST_TEST(is_readable(second.any_fd()));
  BOOST_TEST(!is_readable(first.any_fd()));
  check(second.clear(), true, false);
  first.pass_on({.queue = false, .cancels = true});
  check(second.clear(), false, true);
  BOOST_TEST(!is_readable(second.any_fd()));
  check(second.clear(), false, false);
}

BOOST_AUTO_TEST_CASE(rings_add_up_and_none_hides_another) {
  for (int i = 0; i < 3; ++i) {
    first.pass_on({.queue = true, .cancels = false});
    first.pass_on({.queue = false, .cancels = true});
  }
  check(second.clear(), true, true);
}

BOOST_AUTO_TEST_CASE(nothing_to_pass_on_wakes_nobody) {
  first.pass_on({});
  BOOST_TEST(!is_readable(second.any_fd()));
}

BOOST_AUTO_TEST_CASE(the_stop_is_no_ring) {
  ::eventfd_write(stop.get(), 1);
  BOOST_TEST(is_readable(first.any_fd()));
  BOOST_TEST(!is_readable(first.ring_fd()));
  first.ring();
  BOOST_TEST(is_readable(first.ring_fd()));
  check(first.clear(), false, false);
  BOOST_TEST(!is_readable(first.ring_fd()));
}

BOOST_AUTO_TEST_SUITE_END()
