#include "core/spool/host_slot.h"

#include <csignal>
#include <filesystem>
#include <optional>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include "core/base/unique_fd.h"
#include "tests/unit/spool/spool_fixture.h"

using gp::spool::HostSlot;
using Slots = std::vector<int>;

namespace {

struct SlotFixture : spool_test::Fixture {
  std::string slots = path + ".slots";
};

/// A process that holds a slot until it is killed.
class Holder {
 public:
  Holder(const std::string& path, int preferred, int beyond) {
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    const gp::UniqueFd reads(ends[0]);
    const gp::UniqueFd writes(ends[1]);
    pid_ = spool_test::start_child([&] {
      const HostSlot slot(path, preferred, beyond);
      const char number = static_cast<char>(slot.number());
      if (::write(writes.get(), &number, 1) == 1) ::pause();
    });
    char number = -1;
    BOOST_REQUIRE(::read(reads.get(), &number, 1) == 1);
    number_ = number;
  }
  ~Holder() { kill(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  int number() const { return number_; }
  void signal(int signal) const { ::kill(pid_, signal); }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    spool_test::wait_for_child(pid_);
    pid_ = 0;
  }

 private:
  int pid_ = 0;
  int number_ = -1;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_slot, SlotFixture)

BOOST_AUTO_TEST_CASE(a_slot_is_held_by_one_process_and_the_next_takes_a_free_one_beyond_the_pool) {
  const spool_test::Reports reports;
  const Holder old_worker(slots, 0, 2);
  const HostSlot neighbour(slots, 1, 2);
  const HostSlot new_worker(slots, 0, 2);
  const HostSlot another(slots, 0, 2);
  BOOST_TEST(old_worker.number() == 0);
  BOOST_TEST(neighbour.number() == 1);
  BOOST_TEST(new_worker.number() == 2);
  BOOST_TEST(another.number() == 3);
  BOOST_TEST(reports.count("slot_held_elsewhere") == 2u);
}

BOOST_AUTO_TEST_CASE(a_slot_whose_holder_was_killed_is_free_at_once) {
  Holder dead(slots, 0, 2);
  dead.kill();
  BOOST_TEST(HostSlot(slots, 0, 2).number() == 0);
}

BOOST_AUTO_TEST_CASE(a_slot_of_a_dead_holder_is_inherited_once_and_by_one) {
  Holder dead(slots, 0, 2);
  HostSlot one(slots, 1, 2);
  HostSlot two(slots, 2, 3);
  BOOST_TEST(one.inherit({}).empty());
  dead.kill();
  BOOST_TEST((one.inherit({}) == Slots{0}));
  BOOST_TEST(one.inherit({}).empty());
  BOOST_TEST(two.inherit({}).empty());
  BOOST_TEST(HostSlot(slots, 0, 3).number() == 3);  // 0 is being looked after
  one.settle(0);
  BOOST_TEST((two.inherit({}) == Slots{3}));  // that one ended without leave()
  BOOST_TEST(HostSlot(slots, 0, 3).number() == 0);
}

BOOST_AUTO_TEST_CASE(a_holder_that_is_only_stopped_keeps_its_slot) {
  const Holder stopped(slots, 0, 2);
  stopped.signal(SIGSTOP);
  HostSlot other(slots, 0, 2);
  BOOST_TEST(other.number() == 2);
  BOOST_TEST(other.inherit({}).empty());
  stopped.signal(SIGCONT);
}

BOOST_AUTO_TEST_CASE(who_leaves_nothing_behind_leaves_no_slot_to_inherit) {
  HostSlot(slots, 0, 2).leave();
  HostSlot other(slots, 1, 2);
  BOOST_TEST(other.inherit({}).empty());
  BOOST_TEST((other.inherit(Slots{0, 1, 5, -1, 100000}) == Slots{0, 5}));  // entries say otherwise
}

BOOST_AUTO_TEST_CASE(a_removed_file_is_made_again_and_the_slot_kept_unless_another_was_first) {
  HostSlot first(slots, 0, 2);
  BOOST_TEST(first.keep());
  std::filesystem::remove(slots);
  std::optional<HostSlot> second;
  second.emplace(slots, 0, 2);
  BOOST_TEST(second->number() == 0);
  BOOST_TEST(!first.keep());
  std::filesystem::remove(slots);
  BOOST_TEST(second->keep());
  BOOST_TEST(HostSlot(slots, 0, 2).number() == 2);
}

BOOST_AUTO_TEST_CASE(a_slot_is_kept_on_a_new_file_where_the_old_one_was_renamed) {
  HostSlot living(slots, 0, 2);
  std::filesystem::rename(slots, slots + ".old");
  BOOST_TEST(living.keep());
  HostSlot other(slots, 1, 2);
  BOOST_TEST(other.inherit(Slots{0}).empty());  // its entries were carried over, and its holder is alive
}

BOOST_AUTO_TEST_SUITE_END()
