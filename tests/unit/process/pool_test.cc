#include "core/process/pool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <dlfcn.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/support/shell.h"

using gp::UniqueFd;
using gp::process::Child;

namespace {

int forks_that_fail = 0;  ///< in this process, from now on

}  // namespace

/// In front of the system's.
extern "C" pid_t fork() {
  if (forks_that_fail > 0) {
    --forks_that_fail;
    errno = EAGAIN;
    return -1;
  }
  static const auto real = reinterpret_cast<decltype(&fork)>(dlsym(RTLD_NEXT, "fork"));
  return real();
}

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

/// The bytes that come, until so many different ones have, or none comes for long.
std::set<char> read_different(const Pipe& pipe, std::size_t count) {
  std::set<char> bytes;
  pollfd entry{pipe.out.get(), POLLIN, 0};
  char byte = 0;
  while (bytes.size() < count && ::poll(&entry, 1, 20000) > 0 && ::read(entry.fd, &byte, 1) == 1)
    bytes.insert(byte);
  return bytes;
}

/// A pool whose child 0 wakes the children whose numbers the test writes to it; each child tells when it was
/// woken.
class WakingPool {
 public:
  explicit WakingPool(int processes) : master_(::fork()) {
    if (master_ != 0) return;
    gp::process::PoolOptions options;
    options.name = "waking";
    options.processes = processes;
    ::_exit(gp::process::run_pool(options,
                                  [this] { return [this](const Child& child) { return live(child); }; }));
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

int wait_for_stop(const Child& child) {
  pollfd stop{child.stop_fd, POLLIN, 0};
  return ::poll(&stop, 1, -1) == 1 ? 0 : 1;
}

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

/// What systemd would be told (sd_notify(3)): a datagram socket that a pool's master is pointed to.
class FakeManager {
 public:
  FakeManager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  std::string path() const { return folder_.path() + "/notify"; }

  /// The next message that holds `text`; empty where none comes in time.
  std::string next_with(const std::string& text) const {
    std::array<char, 4096> buffer{};
    pollfd entry{socket_.get(), POLLIN, 0};
    const auto deadline = gp::steady_now() + std::chrono::seconds(20);  // the watchdog's messages never end
    while (gp::steady_now() < deadline && ::poll(&entry, 1, 20000) > 0) {
      const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      const std::string message(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      if (message.find(text) != std::string::npos) return message;
    }
    return {};
  }

  /// How many messages come until `process` has ended. Few fit into a socket: who sends more waits.
  int count_until_end_of(pid_t process) const {
    int count = 0;
    while (::waitpid(process, nullptr, WNOHANG) == 0) {
      pollfd entry{socket_.get(), POLLIN, 0};
      char byte = 0;
      if (::poll(&entry, 1, 20) > 0 && ::recv(socket_.get(), &byte, 1, 0) >= 0) ++count;
    }
    return count;
  }

 private:
  support::TempFolder folder_;
  UniqueFd socket_;
};

/// The master of a pool that tells `manager` what systemd would be told.
pid_t start_pool(const std::string& manager, const gp::process::PoolOptions& options,
                 const std::function<gp::process::ChildLife()>& prepare) {
  const pid_t master = ::fork();
  if (master != 0) return master;
  ::setenv("NOTIFY_SOCKET", manager.c_str(), 1);
  ::_exit(gp::process::run_pool(options, prepare));
}

struct Told {
  pid_t pid = 0;
  char word = 0;
};

/// A pool whose one child tells what is in a file, as the master has read it; "!" is wrong.
class ReadingPool {
 public:
  explicit ReadingPool(const std::string& manager) {
    write_file("a");
    gp::process::PoolOptions options;
    options.name = "reading";
    master_ = start_pool(manager, options, [this] { return prepare(); });
  }
  ~ReadingPool() {
    ::kill(master_, SIGTERM);
    ::waitpid(master_, nullptr, 0);
  }
  ReadingPool(const ReadingPool&) = delete;
  ReadingPool& operator=(const ReadingPool&) = delete;

  pid_t master() const { return master_; }
  void write_file(const std::string& text) const { std::ofstream(path()) << text; }
  /// What the next child tells; nothing where it takes too long.
  Told next() const {
    Told told;
    pollfd entry{told_.out.get(), POLLIN, 0};
    if (::poll(&entry, 1, 20000) > 0 && ::read(told_.out.get(), &told, sizeof told) != sizeof told) return {};
    return told;
  }

 private:
  std::string path() const { return folder_.path() + "/file"; }
  gp::process::ChildLife prepare() const {
    char word = 0;
    std::ifstream(path()) >> word;
    if (word == '!') throw gp::Error(gp::ErrorKind::kBadInput, "the file\nis wrong");
    return [this, word](const Child& child) {
      const Told told{::getpid(), word};
      return ::write(told_.in.get(), &told, sizeof told) == sizeof told ? wait_for_stop(child) : 1;
    };
  }

  support::TempFolder folder_;
  Pipe told_;
  pid_t master_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(pool)

BOOST_AUTO_TEST_CASE(the_service_manager_is_asked_to_wait_for_the_drain_at_the_stop_and_not_before) {
  const FakeManager manager;
  gp::process::PoolOptions options;
  options.name = "draining";
  options.drain = std::chrono::seconds(600);
  const pid_t master = start_pool(manager.path(), options, [] { return wait_for_stop; });
  BOOST_TEST(manager.next_with("READY=1") == "READY=1");
  ::kill(master, SIGTERM);
  BOOST_TEST(manager.next_with("EXTEND_TIMEOUT_USEC") == "STOPPING=1\nEXTEND_TIMEOUT_USEC=615000000");
  int status = -1;
  ::waitpid(master, &status, 0);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(a_reload_that_finds_a_file_wrong_is_refused_and_the_file_that_was_read_last_stays) {
  const FakeManager manager;
  ReadingPool pool(manager.path());
  const Told first = pool.next();
  BOOST_TEST(first.word == 'a');
  pool.write_file("!");
  ::kill(pool.master(), SIGHUP);
  BOOST_TEST(manager.next_with("STATUS") == "STATUS=Reload refused: the file is wrong");
  ::kill(first.pid, SIGKILL);  // its replacement does not read the file
  const Told second = pool.next();
  BOOST_TEST(second.word == 'a');
  BOOST_TEST(second.pid != first.pid);
  pool.write_file("b");
  ::kill(pool.master(), SIGHUP);
  BOOST_TEST(manager.next_with("STATUS") == "RELOADING=1\nSTATUS=");
  BOOST_TEST(pool.next().word == 'b');
}

BOOST_AUTO_TEST_CASE(a_reload_while_no_child_lives_is_over_at_once) {
  const FakeManager manager;
  gp::process::PoolOptions options;
  options.name = "childless";
  options.processes = 2;
  const pid_t master = start_pool(manager.path(), options, [] {
    forks_that_fail = 1000;
    return wait_for_stop;
  });
  BOOST_TEST(manager.next_with("READY=1") == "READY=1");
  ::kill(master, SIGHUP);
  BOOST_TEST(manager.next_with("RELOADING=1") == "RELOADING=1\nSTATUS=");
  BOOST_TEST(manager.next_with("READY=1") == "READY=1");
  ::kill(master, SIGTERM);
  int status = -1;
  ::waitpid(master, &status, 0);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(the_service_manager_is_asked_again_and_again_to_wait_for_a_reload_and_not_after_it) {
  const FakeManager manager;
  const Pipe ends;  // a child that was asked to stop does so when something stands in it
  gp::process::PoolOptions options;
  options.name = "slow";
  options.drain = std::chrono::seconds(600);
  const pid_t master = start_pool(manager.path(), options, [&ends] {
    return [&ends](const Child& child) {
      char byte = 0;
      return wait_for_stop(child) == 0 && ::read(ends.out.get(), &byte, 1) == 1 ? 0 : 1;
    };
  });
  BOOST_TEST(manager.next_with("READY=1") == "READY=1");
  ::kill(master, SIGHUP);
  BOOST_TEST(manager.next_with("RELOADING=1") == "RELOADING=1\nSTATUS=");
  for (int turn = 0; turn < 2; ++turn)
    BOOST_TEST(manager.next_with("WATCHDOG=1") == "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=20000000");
  BOOST_REQUIRE(::write(ends.in.get(), "..", 2) == 2);  // for its replacement too
  BOOST_TEST(manager.next_with("READY=1") == "READY=1");
  BOOST_TEST(manager.next_with("WATCHDOG=1") == "WATCHDOG=1");
  ::kill(master, SIGTERM);
  int status = -1;
  ::waitpid(master, &status, 0);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(a_pool_whose_file_is_wrong_at_the_start_does_not_begin) {
  gp::process::PoolOptions options;
  options.name = "wrong";
  BOOST_CHECK_THROW(gp::process::run_pool(options,
                                          []() -> gp::process::ChildLife {
                                            throw gp::Error(gp::ErrorKind::kBadInput, "the file is wrong");
                                          }),
                    gp::Error);
}

BOOST_AUTO_TEST_CASE(the_master_rests_while_it_waits_for_the_last_of_its_children) {
  const FakeManager manager;
  gp::process::PoolOptions options;
  options.name = "resting";
  options.processes = 2;
  const pid_t master = start_pool(manager.path(), options, [] {
    return [](const Child& child) {
      const int code = wait_for_stop(child);
      std::this_thread::sleep_for(std::chrono::seconds(child.slot));
      return code;
    };
  });
  BOOST_TEST(!manager.next_with("READY=1").empty());
  ::kill(master, SIGTERM);
  BOOST_TEST(manager.count_until_end_of(master) < 20);  // each turn of its loop tells the watchdog
}

BOOST_AUTO_TEST_CASE(a_child_that_cannot_be_forked_is_tried_again) {
  const FakeManager manager;
  const Pipe told;
  gp::process::PoolOptions options;
  options.name = "poor";
  options.processes = 2;
  const pid_t master = start_pool(manager.path(), options, [&]() -> gp::process::ChildLife {
    forks_that_fail = 3;
    return [&told](const Child& child) {
      const auto number = static_cast<char>(child.slot);
      return ::write(told.in.get(), &number, 1) == 1 ? wait_for_stop(child) : 1;
    };
  });
  BOOST_TEST(read_different(told, 2).size() == 2u);
  ::kill(master, SIGTERM);
  int status = -1;
  ::waitpid(master, &status, 0);
  BOOST_TEST(status == 0);
}

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
    ::_exit(gp::process::run_pool(
        options, [&] { return [&](const Child& child) { return talk(child, told.in.get()); }; }));
  }
  const auto heard = read_different(told, 2);
  ::kill(master, SIGTERM);
  ::waitpid(master, nullptr, 0);
  BOOST_TEST(heard == (std::set<char>{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
