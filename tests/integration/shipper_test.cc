#include "core/generation/shipper.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "core/sqlite/database.h"
#include "tests/integration/database.h"
#include "tests/support/shell.h"

using gp::generation::LeaseBook;
using gp::generation::PoolDoorbell;
using gp::generation::Shipper;
using gp::generation::WorkerSlot;
using gp::project::EventType;
using gp::project::Step;
using gp::runlog::Claim;
using integration::LockedRow;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// What a worker ships with: a spool, a book of leases and a doorbell.
struct Fixture : integration::Migrated {
  support::TempFolder folder;
  std::string path = folder.path() + "/deep/spool.db";
  gp::Config config;
  gp::UniqueFd out;
  gp::UniqueFd in;
  gp::spool::Outbox outbox{path, 0};
  LeaseBook leases;

  Fixture() {
    config.database_url = url();
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }

  WorkerSlot slot() const {
    WorkerSlot slot;
    slot.line_in = in.get();
    slot.line_out = out.get();
    return slot;
  }

  /// A run that is taken, its lease in the book.
  Claim claim(const std::string& project_id) {
    gp::runlog::RunIntake(url()).start(request(project_id));
    auto claims = gp::runlog::RunQueue(url(), url(), {"host/0", seconds(30)}).claim(10);
    BOOST_REQUIRE(claims.size() == 1u);
    leases.add(claims.front().lease);
    return std::move(claims.front());
  }

  static Step step(const Claim& claim, std::int64_t id) {
    return {claim.lease.run_id,
            claim.lease.token,
            {id, EventType::kSectionStarted, {{"project_id", claim.request.project_id.str()}, {"n", id}}},
            R"({"n": )" + std::to_string(id) + "}",
            {}};
  }

  /// Puts a file where the spool's folder is, in one step: the thread at work opens and makes files there.
  void take_spool_away() const {
    const std::string file = folder.path() + "/file";
    std::ofstream(file) << "no folder";
    BOOST_REQUIRE(::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, (folder.path() + "/deep").c_str(),
                              RENAME_EXCHANGE) == 0);
  }

  std::string events_of(const Claim& claim) const {
    return value("SELECT count(*) FROM generation_events WHERE run_id = '" + claim.lease.run_id.str() + "'");
  }

  /// Waits until so many events of the run are committed.
  bool has_events(const Claim& claim, int count, milliseconds patience = seconds(30)) const {
    const auto deadline = gp::steady_now() + patience;
    while (events_of(claim) != std::to_string(count)) {
      if (gp::steady_now() >= deadline) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
  }
};

/// The thread at work.
struct AtWork {
  explicit AtWork(Fixture& fixture)
      : doorbell(fixture.url(), fixture.slot()),
        shipper(fixture.config, fixture.outbox, fixture.leases, doorbell, [] {}) {}
  PoolDoorbell doorbell;
  Shipper shipper;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(shipper, Fixture)

BOOST_AUTO_TEST_CASE(a_run_whose_project_is_locked_waits_in_the_outbox_and_the_others_go_on) {
  const Claim locked = claim("locked");
  const Claim good = claim("good");
  AtWork work(*this);
  {
    const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'locked'");
    work.shipper.submit(step(locked, 1));
    work.shipper.submit(step(good, 1));
    BOOST_TEST(has_events(good, 1));
    for (int id = 2; id <= 5; ++id) {
      work.shipper.submit(step(good, id));
      work.shipper.submit(step(locked, id));
      BOOST_TEST(has_events(good, id));
    }
    BOOST_TEST(events_of(locked) == "0");
    BOOST_TEST(outbox.pending(100).size() == 5u);
    BOOST_TEST(!work.shipper.wait_until_empty(milliseconds(100)));
  }
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  BOOST_TEST(events_of(locked) == "5");
  BOOST_TEST(value("SELECT spec_json FROM projects WHERE id = 'locked'") == R"({"n": 5})");
  BOOST_TEST(leases.held().size() == 2u);
  BOOST_TEST(outbox.pending(100).empty());
}

BOOST_AUTO_TEST_CASE(a_step_under_a_former_lease_leaves_those_under_the_valid_one_alone) {
  const Claim run = claim("p");
  Step former = step(run, 1);
  former.token = gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666");
  former.event.data["n"] = "other";
  for (const Step& each : {former, step(run, 1), step(run, 2)}) outbox.append(each);
  AtWork work(*this);
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  BOOST_TEST(events_of(run) == "2");
  BOOST_TEST(leases.held().size() == 1u);
}

BOOST_AUTO_TEST_CASE(steps_that_postgresql_never_takes_cost_their_run_and_no_other) {
  const Claim bad = claim("bad");
  const Claim good = claim("good");
  script("ALTER TABLE generation_events ADD CONSTRAINT none CHECK (run_id <> '" + bad.lease.run_id.str() +
         "')");
  outbox.append(step(bad, 1));
  outbox.append(step(good, 1));
  AtWork work(*this);
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  BOOST_TEST(events_of(good) == "1");
  BOOST_REQUIRE(leases.held().size() == 1u);
  BOOST_TEST(leases.held().front().run_id.str() == good.lease.run_id.str());
  BOOST_TEST(outbox.pending(100).empty());
}

BOOST_AUTO_TEST_CASE(a_spool_that_cannot_be_read_does_not_stop_what_is_in_memory) {
  const Claim run = claim("p");
  AtWork work(*this);
  work.shipper.submit(step(run, 1));
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  take_spool_away();
  for (int id = 2; id <= 4; ++id) work.shipper.submit(step(run, id));
  BOOST_TEST(has_events(run, 4));
  BOOST_TEST(leases.held().size() == 1u);
  // It is back.
  std::filesystem::remove(folder.path() + "/deep");
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  work.shipper.submit(step(run, 5));
  BOOST_TEST(has_events(run, 5));
}

BOOST_AUTO_TEST_CASE(a_step_in_memory_waits_for_those_of_its_run_in_a_spool_that_cannot_be_read) {
  const Claim run = claim("p");
  const Claim other = claim("other");
  const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'p'");
  AtWork work(*this);
  work.shipper.submit(step(run, 1));
  take_spool_away();
  work.shipper.submit(step(run, 2));
  for (int id = 1; id <= 5; ++id) {
    work.shipper.submit(step(other, id));
    BOOST_TEST(has_events(other, id));
    std::this_thread::sleep_for(seconds(1));  // the locked run's turn comes again meanwhile
  }
  BOOST_TEST(events_of(run) == "0");
  BOOST_TEST(leases.held().size() == 2u);  // the second step was not sent without the first
}

BOOST_AUTO_TEST_CASE(a_spool_that_cannot_give_up_what_is_confirmed_does_not_stop_what_follows) {
  const Claim run = claim("p");
  AtWork work(*this);
  {
    const LockedRow lock(url(), "SELECT 1 FROM generation_runs");
    work.shipper.submit(step(run, 1));
    gp::sqlite::Database writing(path);
    writing.run_script("BEGIN IMMEDIATE");
    lock.release();
    BOOST_TEST(has_events(run, 1));
    work.shipper.submit(step(run, 2));  // into memory, after a while
    BOOST_TEST(has_events(run, 2, seconds(60)));
    writing.run_script("ROLLBACK");
  }
  work.shipper.look_again();
  BOOST_TEST(work.shipper.wait_until_empty(seconds(30)));
  const auto deadline = gp::steady_now() + seconds(30);
  while (!outbox.pending(10).empty() && gp::steady_now() < deadline)
    std::this_thread::sleep_for(milliseconds(50));
  BOOST_TEST(outbox.pending(10).empty());
  BOOST_TEST(leases.held().size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
