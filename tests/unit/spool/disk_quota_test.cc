// A user's quota of the file system, which SQLite takes for a fault of the disk. The kernel's own needs a
// file system made for it, so pwrite(2), by which SQLite writes, says here what it would say.

#include <atomic>
#include <cerrno>
#include <filesystem>

#include <boost/test/unit_test.hpp>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/spool/outbox.h"
#include "tests/unit/spool/spool_fixture.h"

namespace {

std::atomic<bool> is_quota_used_up = false;

}  // namespace

extern "C" ssize_t pwrite64(int fd, const void* bytes, std::size_t count, off64_t offset) {
  if (is_quota_used_up) {
    errno = EDQUOT;
    return -1;
  }
  return ::syscall(SYS_pwrite64, fd, bytes, count, offset);
}

BOOST_FIXTURE_TEST_SUITE(disk_quota, spool_test::Fixture)

BOOST_AUTO_TEST_CASE(a_quota_that_is_used_up_is_a_full_disk_and_costs_the_ballast) {
  gp::spool::Outbox outbox(path, 0);
  gp::project::Step step{spool_test::run_number(1),
                         gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666"),
                         {1, gp::project::EventType::kSectionStarted, {{"n", 1}}},
                         "{}",
                         {}};
  outbox.append(step);
  const std::int64_t sequence = outbox.pending(1).front().sequence;
  BOOST_TEST(std::filesystem::exists(path + ".ballast"));
  step.event.id = 2;
  is_quota_used_up = true;
  const auto is_too_large = [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kTooLarge; };
  BOOST_CHECK_EXCEPTION(outbox.append(step), gp::Error, is_too_large);
  BOOST_CHECK_EXCEPTION(outbox.confirm(std::span(&sequence, 1)), gp::Error, is_too_large);
  is_quota_used_up = false;
  BOOST_TEST(!std::filesystem::exists(path + ".ballast"));
  outbox.confirm(std::span(&sequence, 1));
  BOOST_TEST(outbox.pending(1).empty());
}

BOOST_AUTO_TEST_SUITE_END()
