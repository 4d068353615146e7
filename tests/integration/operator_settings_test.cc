// What an operator may have set on the database for all that connect.

#include <chrono>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/database_check.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/log_probe.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::Error;
using gp::pg::Session;
using gp::pg::Transaction;
using gp::runlog::WriteOutcome;
using integration::LockedRow;
using integration::Migrated;

namespace {

struct Fixture : Migrated {
  void set(const std::string& setting) const {
    script("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET " + setting + "'; END $$");
  }
};

std::string current(Session& session, const std::string& setting) {
  const std::string sql = "SELECT current_setting('" + setting + "') AS value";
  return session.run_unprepared({{"current", sql}, {}}).text(0, "value");
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(operator_settings, Fixture)

BOOST_AUTO_TEST_CASE(a_session_of_ours_has_the_isolation_and_the_timeouts_it_relies_on) {
  set("default_transaction_isolation = serializable");
  for (const char* timeout : {"statement_timeout", "lock_timeout", "idle_session_timeout"})
    set(std::string(timeout) + " = ''5s''");
  Session session(url(), "test");
  BOOST_TEST(current(session, "transaction_isolation") == "read committed");
  for (const char* timeout : {"statement_timeout", "lock_timeout", "idle_session_timeout"})
    BOOST_TEST(current(session, timeout) == "0", timeout);
}

BOOST_AUTO_TEST_CASE(a_transaction_is_read_committed_also_where_no_session_can_be_set) {
  Session session(url(), "test");
  session.run_script("SET default_transaction_isolation = serializable");  // as a pooler's server has it
  const Transaction transaction(session);
  BOOST_TEST(current(session, "transaction_isolation") == "read committed");
}

BOOST_AUTO_TEST_CASE(behind_a_pooler_nothing_is_set_that_would_stay_for_the_next_client) {
  const integration::Pooled pooled;
  Session session(pooled.url(), "test");
  BOOST_TEST(session.is_pooled());
  const gp::pg::Statement set_by_us{
      "set_by_us",
      "SELECT FROM pg_settings WHERE name ~ '_timeout$|^default_transaction' AND source = 'session'"};
  BOOST_TEST(session.run(set_by_us).empty());
}

BOOST_AUTO_TEST_CASE(a_lock_is_met_as_one_whatever_limits_a_statement) {
  script("INSERT INTO projects (id) VALUES ('p')");
  const LockedRow lock(url(), "SELECT FROM projects WHERE id = 'p'");
  Session session(url(), "test");
  session.run_script("SET statement_timeout = '1s'");  // as a pooler's server may have it
  const gp::pg::Statement take{"take", "SELECT FROM projects WHERE id = 'p' FOR UPDATE"};
  BOOST_CHECK_EXCEPTION(gp::runlog::run_impatiently(session, {take, {}}), Error, gp::runlog::is_lock_timeout);
}

BOOST_AUTO_TEST_CASE(with_a_short_statement_timeout_a_locked_project_stops_no_other_run) {
  set("statement_timeout = ''1s''");
  gp::runlog::RunIntake intake(url());
  intake.start(integration::request("p"));
  intake.start(integration::request("q"));
  const auto claims = gp::runlog::RunQueue(url(), url(), {"host/0", std::chrono::seconds(30)}).claim(10);
  BOOST_REQUIRE(claims.size() == 2u);
  std::vector<gp::project::Step> steps;
  for (const auto& claim : claims) {
    steps.push_back(
        {claim.lease.run_id,
         claim.lease.token,
         {1, gp::project::EventType::kRunStarted, {{"project_id", claim.request.project_id.str()}}},
         "{}",
         {}});
  }
  const LockedRow lock(url(), "SELECT FROM projects WHERE id = 'p'");
  const auto outcomes = gp::runlog::EventWriter(url()).write_around_locks(steps);
  BOOST_TEST((outcomes.front() == WriteOutcome::kLocked));
  BOOST_TEST((outcomes.back() == WriteOutcome::kWritten));
}

BOOST_AUTO_TEST_CASE(a_database_that_takes_no_writes_is_found_to_be_so) {
  gp::runlog::LogProbe probe(url());
  BOOST_TEST(!probe.look().is_read_only);
  BOOST_TEST(!gp::runlog::inspect_database(url()).is_read_only);
  set("default_transaction_read_only = on");
  const auto health = gp::runlog::LogProbe(url()).look();
  BOOST_TEST(health.is_reachable);
  BOOST_TEST(health.is_read_only);
  BOOST_TEST(gp::runlog::inspect_database(url()).is_read_only);
}

BOOST_AUTO_TEST_SUITE_END()
