#include "core/generation/estates.h"

#include <fstream>
#include <string>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/runlog/run_intake.h"
#include "tests/integration/database.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"

using gp::generation::Estates;
using gp::generation::owner_name;
using gp::runlog::RunIntake;
using gp::runlog::RunQueue;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kLease{2};

struct Fixture : integration::Migrated {
  support::TempFolder folder;
  gp::spool::Outbox outbox{folder.path() + "/spool.db", 0};
  gp::spool::HostSlot slot{folder.path() + "/slots", 0, 4};

  RunQueue queue(const std::string& owner) const { return {url(), url(), {owner, kLease}}; }

  /// A run that a worker in `slot` of this host has taken; its id.
  gp::runlog::Claim taken_by(int number, const std::string& project_id) const {
    RunIntake(url()).start(request(project_id));
    return queue(owner_name(*outbox.find_spool_id(), number)).claim(1).front();
  }
  std::string is_expired(const gp::runlog::Claim& claim) const {
    return value("SELECT lease_expires_at < now() FROM generation_runs WHERE run_id = '" +
                 claim.lease.run_id.str() + "'");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(estates, Fixture)

BOOST_AUTO_TEST_CASE(an_estate_is_settled_once_although_the_next_one_fails) {
  { gp::spool::HostSlot(folder.path() + "/slots", 1, 4); }  // a worker that died
  RunQueue mine = queue(owner_name(*outbox.find_spool_id(), 0));
  Estates estates(slot, outbox, mine, kLease);
  estates.find();
  taken_by(1, "of_the_dead");
  script(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
      "CREATE TRIGGER refuse BEFORE UPDATE ON generation_runs FOR EACH ROW WHEN (old.lease_owner LIKE '%/1') "
      "EXECUTE FUNCTION refuse()");
  BOOST_CHECK_THROW(estates.settle(), gp::Error);
  script("DROP TRIGGER refuse ON generation_runs");
  const auto anew = taken_by(0, "new");  // under the name of the slot that is settled
  estates.settle();
  BOOST_TEST(estates.empty());
  BOOST_TEST(is_expired(anew) == "false");
}

BOOST_AUTO_TEST_CASE(an_estate_that_cannot_be_shipped_is_waited_for_no_longer_than_a_lease) {
  const auto claim = taken_by(0, "p");
  outbox.append({claim.lease.run_id,
                 claim.lease.token,
                 {1, gp::project::EventType::kRunStarted, {{"project_id", "p"}}},
                 "{}",
                 {}});
  RunQueue mine = queue(owner_name(*outbox.find_spool_id(), 0));
  Estates estates(slot, outbox, mine, kLease);
  estates.find();
  estates.settle();
  BOOST_TEST(!estates.empty());
  std::this_thread::sleep_for(kLease + milliseconds(200));  // what is tested is the passing of time
  estates.settle();
  BOOST_TEST(estates.empty());
  BOOST_TEST(outbox.pending(10).size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_estate_in_a_spool_that_is_of_no_use_keeps_its_heir_no_longer_than_a_lease) {
  std::ofstream(folder.path() + "/file") << "in the way";
  gp::spool::Outbox blocked(folder.path() + "/file/spool.db", 0);
  RunQueue mine = queue("somebody/0");
  Estates estates(slot, blocked, mine, kLease);
  estates.find();
  BOOST_TEST(!estates.empty());
  const auto is_settled = [&] {
    estates.settle();
    return estates.empty();
  };
  BOOST_TEST(!is_settled());
  BOOST_TEST(support::wait_until(is_settled, kLease * 3));
}

BOOST_AUTO_TEST_SUITE_END()
