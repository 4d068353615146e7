#include "core/process/pool.h"

#include <array>
#include <csignal>
#include <cstring>
#include <set>

#include <boost/test/unit_test.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"

using gp::UniqueFd;
using gp::process::Child;

namespace {

struct Woken {
  int slot = -1;
  pid_t pid = 0;
};

struct Pipe {
  UniqueFd out;
  UniqueFd in;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
};

/// A pool whose child 0 wakes the children whose numbers the test writes to it; each child tells when it was
/// woken.
class WakingPool {
 public:
  explicit WakingPool(int processes) : master_(::fork()) {
    if (master_ != 0) return;
    gp::process::PoolOptions options;
    options.name = "waking";
    options.processes = processes;
    ::_exit(gp::process::run_pool(options, [this](const Child& child) { return live(child); }));
  }
  ~WakingPool() {
    ::kill(master_, SIGTERM);
    ::waitpid(master_, nullptr, 0);
  }
  WakingPool(const WakingPool&) = delete;
  WakingPool& operator=(const WakingPool&) = delete;

  void wake(int slot) const {
    const char number = static_cast<char>(slot);
    BOOST_REQUIRE(::write(orders_.in.get(), &number, 1) == 1);
  }
  /// Who was woken next; nobody where it takes too long.
  Woken next() const {
    Woken woken;
    pollfd entry{told_.out.get(), POLLIN, 0};
    if (::poll(&entry, 1, 20000) > 0 && ::read(told_.out.get(), &woken, sizeof woken) != sizeof woken)
      return {};
    return woken;
  }

 private:
  int live(const Child& child) const {
    const auto slot = static_cast<std::size_t>(child.slot);
    const int own = child.wake_fds[slot];
    std::array<pollfd, 3> fds{{{child.stop_fd, POLLIN, 0}, {own, POLLIN, 0}, {orders_.out.get(), POLLIN, 0}}};
    while (::poll(fds.data(), slot == 0 ? 3 : 2, -1) > 0 && fds[0].revents == 0) {
      if (fds[1].revents != 0) tell(child.slot, own);
      if (fds[2].revents != 0) pass_on(child);
    }
    return 0;
  }
  void tell(int slot, int own) const {
    eventfd_t count = 0;
    ::eventfd_read(own, &count);
    const Woken woken{slot, ::getpid()};
    if (::write(told_.in.get(), &woken, sizeof woken) != sizeof woken) ::_exit(1);
  }
  void pass_on(const Child& child) const {
    char number = 0;
    if (::read(orders_.out.get(), &number, 1) == 1)
      ::eventfd_write(child.wake_fds[static_cast<std::size_t>(number)], 1);
  }

  Pipe orders_;
  Pipe told_;
  pid_t master_;  ///< last: the pool inherits the pipes
};

/// Slot 0 tells what comes through the line; the others write their numbers to it.
int talk(const Child& child, int told) {
  const auto number = static_cast<char>(child.slot);
  if (child.slot != 0 && ::write(child.line_in, &number, 1) != 1) return 1;
  std::array<pollfd, 2> fds{{{child.stop_fd, POLLIN, 0}, {child.line_out, POLLIN, 0}}};
  while (::poll(fds.data(), child.slot == 0 ? 2 : 1, -1) > 0 && fds[0].revents == 0) {
    char heard = 0;
    if (::read(child.line_out, &heard, 1) == 1 && ::write(told, &heard, 1) != 1) return 1;
  }
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pool)

BOOST_AUTO_TEST_CASE(a_wake_reaches_the_child_of_that_slot_and_no_other) {
  const WakingPool pool(3);
  for (const int slot : {2, 0, 1, 2}) {
    pool.wake(slot);
    BOOST_TEST(pool.next().slot == slot);
  }
}

BOOST_AUTO_TEST_CASE(the_replacement_of_a_child_gets_its_wakes_and_those_that_came_meanwhile) {
  const WakingPool pool(2);
  pool.wake(1);
  const Woken former = pool.next();
  BOOST_REQUIRE(former.pid > 0);
  ::kill(former.pid, SIGKILL);
  pool.wake(1);  // perhaps nobody is there yet
  Woken woken = pool.next();
  if (woken.pid == former.pid) {  // it was faster than its end
    pool.wake(1);
    woken = pool.next();
  }
  BOOST_TEST(woken.slot == 1);
  BOOST_TEST(woken.pid != former.pid);
  pool.wake(1);
  BOOST_TEST(pool.next().pid == woken.pid);
}

BOOST_AUTO_TEST_CASE(what_a_child_writes_to_the_line_the_child_of_slot_0_reads) {
  const Pipe told;
  const pid_t master = ::fork();
  if (master == 0) {
    gp::process::PoolOptions options;
    options.name = "talking";
    options.processes = 3;
    ::_exit(gp::process::run_pool(options, [&](const Child& child) { return talk(child, told.in.get()); }));
  }
  std::set<char> heard;
  while (heard.size() < 2) {
    pollfd entry{told.out.get(), POLLIN, 0};
    char slot = 0;
    BOOST_REQUIRE(::poll(&entry, 1, 20000) > 0);
    BOOST_REQUIRE(::read(told.out.get(), &slot, 1) == 1);
    heard.insert(slot);
  }
  ::kill(master, SIGTERM);
  ::waitpid(master, nullptr, 0);
  BOOST_TEST(heard == (std::set<char>{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
