#include <algorithm>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/eventfd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/project/event.h"
#include "core/project/step.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"
#include "tests/support/wait.h"

using gp::runlog::Claim;
using gp::runlog::Lease;
using gp::runlog::RunIntake;
using gp::runlog::RunQueue;
using integration::LockedRow;
using integration::Migrated;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Fixture : Migrated {
  RunQueue queue(const std::string& owner) const { return {url(), url(), {owner, seconds(2)}}; }
  void start(const std::string& project_id) const { RunIntake(url()).start(request(project_id)); }
  void expire() const { script("UPDATE generation_runs SET lease_expires_at = now() - interval '1 second'"); }
  /// The run begins and ends in error; its events are all that is written.
  void fail(const Claim& claim) const {
    const auto step = [&](std::int64_t id, gp::project::EventType type, const gp::Json& members) {
      return gp::project::Step{claim.lease.run_id,
                               claim.lease.token,
                               {id, type,
                                gp::project::event_data(claim.lease.run_id, claim.request.project_id,
                                                        "2026-11-24T08:00:00.000Z", members)},
                               "{}",
                               {}};
    };
    std::vector<gp::project::Step> steps = {
        step(1, gp::project::EventType::kRunStarted,
             {{"attempt", 1}, {"model", "m"}, {"resumed_sections", gp::Json::array()}}),
        step(2, gp::project::EventType::kError,
             {{"code", "timeout"}, {"message", "m"}, {"stage", "llm"}, {"retryable", true}})};
    steps.back().end = gp::project::RunEnd{
        .complete = false, .error_code = "timeout", .error_message = "m", .usage = {}, .cost_usd = {}};
    for (const auto outcome : gp::runlog::EventWriter(url()).write(steps))
      BOOST_TEST((outcome == gp::runlog::WriteOutcome::kWritten));
  }
  std::unique_ptr<gp::pg::Session> locked_projects() const {
    auto session = std::make_unique<gp::pg::Session>(url(), "app");
    session->run_script("BEGIN; LOCK TABLE projects");
    return session;
  }
};

/// The database's clock can be set: for all sessions that begin from now on, now() and clock_timestamp() are
/// found before PostgreSQL's own.
struct ClockFixture : Fixture {
  ClockFixture() {
    script(R"(CREATE SCHEMA shifted;
              CREATE TABLE shifted.clock AS SELECT interval '0' AS ahead;
              CREATE FUNCTION shifted.now() RETURNS timestamptz STABLE LANGUAGE sql
                AS 'SELECT pg_catalog.now() + ahead FROM shifted.clock';
              CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
                AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM shifted.clock';
              DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shifted, pg_catalog, public',
                                         current_database()); END $$)");
  }
  void set_clock_ahead(const std::string& interval) const {
    script("UPDATE shifted.clock SET ahead = '" + interval + "'");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(queue, Fixture)

BOOST_AUTO_TEST_CASE(runs_are_taken_oldest_first_and_by_one_worker_each) {
  for (const char* project : {"a", "b", "c"}) start(project);
  RunQueue one = queue("host/0");
  RunQueue two = queue("host/1");
  const auto first = one.claim(2);
  BOOST_REQUIRE(first.size() == 2u);
  BOOST_TEST(first[0].request.project_id.str() == "a");
  BOOST_TEST(first[1].request.project_id.str() == "b");
  BOOST_TEST(first[0].request.owner_email.reveal() == "huda@school.ae");
  const auto second = two.claim(10);
  BOOST_REQUIRE(second.size() == 1u);
  BOOST_TEST(second[0].request.project_id.str() == "c");
  BOOST_TEST(two.claim(10).empty());
}

BOOST_AUTO_TEST_CASE(many_workers_at_once_share_the_queue_without_overlap) {
  for (int i = 0; i < 60; ++i) start("p" + std::to_string(i));
  std::vector<std::vector<Claim>> taken(8);
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      workers.emplace_back([&, i] {
        RunQueue mine = queue("host/" + std::to_string(i));
        for (auto claims = mine.claim(3); !claims.empty(); claims = mine.claim(3))
          std::ranges::move(claims, std::back_inserter(taken[i]));
      });
    }
  }
  std::set<std::string> runs;
  std::size_t total = 0;
  for (const auto& each : taken) {
    total += each.size();
    for (const Claim& claim : each) runs.insert(claim.lease.run_id.str());
  }
  BOOST_TEST(total == 60u);
  BOOST_TEST(runs.size() == 60u);
}

BOOST_AUTO_TEST_CASE(a_lease_that_is_renewed_is_kept_and_one_that_expires_is_taken_over_with_a_new_token) {
  start("p");
  RunQueue owner = queue("host/0");
  RunQueue other = queue("host/1");
  const Lease lease = owner.claim(1).front().lease;
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.empty());
  BOOST_TEST(other.claim(1).empty());
  expire();
  const auto taken = other.claim(1);
  BOOST_REQUIRE(taken.size() == 1u);
  BOOST_TEST(taken.front().former_token.has_value());
  BOOST_TEST(taken.front().attempt == 1);
  BOOST_TEST(taken.front().lease.token.str() != lease.token.str());
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.size() == 1u);  // lost
}

BOOST_AUTO_TEST_CASE(after_an_outage_owners_get_a_lease_of_grace) {
  start("p");
  RunQueue owner = queue("host/0");
  RunQueue other = queue("host/1");
  const Lease lease = owner.claim(1).front().lease;
  BOOST_TEST(other.claim(1).empty());
  end_sessions("generate-project worker");
  expire();
  BOOST_CHECK_THROW(other.claim(1), gp::Error);
  BOOST_TEST(other.claim(1).empty());  // connected again, but the owner could not renew either
  BOOST_CHECK_THROW(owner.renew(std::span(&lease, 1)), gp::Error);
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.empty());
  expire();
  std::this_thread::sleep_for(milliseconds(2200));
  BOOST_TEST(other.claim(1).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_beat_that_waited_for_longer_than_a_lease_renews_from_its_end_and_is_an_outage) {
  start("p");
  start("q");
  RunQueue owner = queue("host/0");
  RunQueue other = queue("host/1");
  const Lease mine = owner.claim(1).front().lease;
  const Lease others = other.claim(1).front().lease;
  {
    const LockedRow lock(url(), "SELECT 1 FROM generation_runs WHERE run_id = '" + mine.run_id.str() + "'");
    const std::jthread releasing([&] {
      std::this_thread::sleep_for(milliseconds(2500));
      lock.release();
    });
    BOOST_TEST(owner.renew(std::span(&mine, 1)).lost.empty());
  }
  BOOST_TEST(value("SELECT lease_expires_at > clock_timestamp() + interval '1 second' FROM generation_runs "
                   "WHERE run_id = '" +
                   mine.run_id.str() + "'") == "true");
  expire();  // the other worker's beat waited as well
  BOOST_TEST(owner.claim(2).empty());
  BOOST_TEST(other.renew(std::span(&others, 1)).lost.empty());
  BOOST_TEST(owner.renew(std::span(&mine, 1)).lost.empty());
  expire();
  std::this_thread::sleep_for(milliseconds(2200));
  BOOST_TEST(owner.claim(2).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_claim_that_lay_at_a_server_that_stood_still_takes_nothing_over) {
  start("p");
  RunQueue owner = queue("host/0");
  const Lease lease = owner.claim(1).front().lease;
  RunQueue other = queue("host/1");
  BOOST_TEST(other.claim(1).empty());
  const pid_t server = std::stoi(
      value("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = "
            "'generate-project worker' ORDER BY backend_start DESC LIMIT 1"));
  BOOST_REQUIRE(::kill(server, SIGSTOP) == 0);
  const std::jthread continuing([&] {
    std::this_thread::sleep_for(milliseconds(2500));
    ::kill(server, SIGCONT);
  });
  BOOST_TEST(other.claim(1).empty());
  BOOST_TEST(value("SELECT lease_expires_at < now() FROM generation_runs") == "true");
  BOOST_TEST(other.claim(1).empty());  // the owner gets the time to renew
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.empty());
}

BOOST_AUTO_TEST_CASE(whoever_says_that_there_was_an_outage_takes_nothing_over_for_a_lease) {
  start("p");
  queue("host/0").claim(1);
  RunQueue other = queue("host/1");
  BOOST_TEST(other.claim(1).empty());
  expire();
  other.grant_grace();
  BOOST_TEST(other.claim(1).empty());
  std::this_thread::sleep_for(milliseconds(2200));
  BOOST_TEST(other.claim(1).size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(where_the_databases_clock_jumps_live_leases_are_not_taken_over, ClockFixture) {
  start("p");
  RunQueue owner = queue("host/0");
  RunQueue other = queue("host/1");
  const Lease lease = owner.claim(1).front().lease;
  BOOST_TEST(other.claim(1).empty());
  set_clock_ahead("1 hour");
  BOOST_TEST(value("SELECT lease_expires_at < now() FROM generation_runs") == "true");
  BOOST_TEST(other.claim(1).empty());  // the owner gets the time to renew
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.empty());
  std::this_thread::sleep_for(milliseconds(2200));
  BOOST_TEST(other.claim(1).size() == 1u);  // it has not renewed again
}

BOOST_AUTO_TEST_CASE(a_worker_does_not_take_its_own_runs_from_itself) {
  start("p");
  RunQueue owner = queue("host/0");
  const Lease lease = owner.claim(1).front().lease;
  expire();
  BOOST_TEST(owner.claim(1, std::span(&lease, 1)).empty());
  BOOST_TEST(owner.renew(std::span(&lease, 1)).lost.empty());
  expire();
  BOOST_TEST(owner.claim(1).size() == 1u);  // it is not in the book any more
}

BOOST_AUTO_TEST_CASE(a_project_that_somebody_is_about_to_insert_or_has_locked_keeps_no_claim_waiting) {
  start("p");
  const auto begun = gp::steady_now();
  gp::pg::Session inserting(url(), "app");
  inserting.run_script("BEGIN; INSERT INTO projects (id, spec_json, updated_at) VALUES ('p', '{}', now())");
  const auto claims = queue("host/0").claim(1);
  BOOST_REQUIRE(claims.size() == 1u);
  BOOST_TEST(claims.front().project_writable);
  inserting.run_script("ROLLBACK; BEGIN; LOCK TABLE projects");
  start("q");
  BOOST_TEST(queue("host/1").claim(1).size() == 1u);
  BOOST_TEST((gp::steady_now() - begun < seconds(20)));
}

BOOST_AUTO_TEST_CASE(a_project_that_was_locked_at_the_claim_gets_the_runs_document_once_it_is_not) {
  start("p");
  start("q");
  RunQueue worker(url(), url(), {"host/0", seconds(30)});
  gp::pg::Session app(url(), "app");
  app.run_script("BEGIN; LOCK TABLE projects");
  const auto claims = worker.claim(2);
  BOOST_REQUIRE(claims.size() == 2u);
  BOOST_TEST(worker.claim(1).empty());  // the lock is met again, and the next try comes later
  app.run_script("ROLLBACK");
  fail(claims.front());
  const auto projects = [&] { return value("SELECT string_agg(id, ' ' ORDER BY id) FROM projects"); };
  BOOST_TEST(projects() == "null");  // a step makes no row

  app.run_script("BEGIN; INSERT INTO projects (id, spec_json, updated_at) VALUES ('p', '{}', now())");
  const auto are_there = [&](const char* expected) {
    BOOST_TEST(worker.claim(1).empty());
    return projects() == expected;
  };
  BOOST_TEST(support::wait_until([&] { return are_there("q"); }, seconds(30)));  // p holds up nobody else
  app.run_script("ROLLBACK");
  BOOST_TEST(support::wait_until([&] { return are_there("p q"); }, seconds(30)));
  BOOST_TEST(value("SELECT spec_json->>'status' FROM projects WHERE id = 'p'") == "error");
  BOOST_TEST(value("SELECT spec_json->>'status' FROM projects WHERE id = 'q'") == "planning");

  script("DELETE FROM projects");  // by the app: it is not brought back
  BOOST_TEST(worker.claim(1).empty());
  BOOST_TEST(projects() == "null");
}

BOOST_AUTO_TEST_CASE(however_many_projects_are_locked_a_claim_waits_for_one_lock_only) {
  for (int i = 0; i < 10; ++i) start("p" + std::to_string(i));
  RunQueue worker = queue("host/0");
  const auto lock = locked_projects();
  const auto begun = gp::steady_now();
  const auto claims = worker.claim(10);
  BOOST_TEST((gp::steady_now() - begun < seconds(2)));  // a lease
  BOOST_TEST(claims.size() == 10u);
  BOOST_TEST(std::ranges::all_of(claims, &Claim::project_writable));
}

BOOST_AUTO_TEST_CASE(however_many_runs_with_locked_projects_are_to_be_ended_a_claim_waits_for_one_lock_only) {
  for (int i = 0; i < 10; ++i) start("p" + std::to_string(i));
  script("UPDATE generation_runs SET cancel_attempt = attempt");
  {
    const auto lock = locked_projects();
    RunQueue worker = queue("host/0");
    const auto begun = gp::steady_now();
    BOOST_TEST(worker.claim(10).empty());
    BOOST_TEST((gp::steady_now() - begun < seconds(2)));
    BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE state = 'running'") == "10");
  }
  expire();
  BOOST_TEST(queue("host/1").claim(10).empty());
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE error_code = 'cancelled'") == "10");
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_whose_project_is_locked_is_left_to_its_lease_and_the_next_one_is_taken) {
  start("p");
  const std::string cancelled = value("SELECT run_id FROM generation_runs");
  script("UPDATE generation_runs SET cancel_attempt = attempt");
  start("q");
  script("INSERT INTO projects (id, spec_json, updated_at) VALUES ('p', '{}', now())");
  RunQueue worker = queue("host/0");
  {
    const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'p'");
    const auto claims = worker.claim(2);
    BOOST_REQUIRE(claims.size() == 1u);
    BOOST_TEST(claims.front().request.project_id.str() == "q");
    BOOST_TEST(value("SELECT state FROM generation_runs WHERE run_id = '" + cancelled + "'") == "running");
  }
  expire();
  queue("host/1").claim(2);
  BOOST_TEST(value("SELECT error_code FROM generation_runs WHERE run_id = '" + cancelled + "'") ==
             "cancelled");
}

BOOST_AUTO_TEST_CASE(what_a_dead_worker_held_is_free_at_once_its_attempt_unused_and_nothing_of_others) {
  start("p");
  start("q");
  const Claim held = queue("host/0").claim(1).front();
  RunQueue other = queue("host/1");
  other.claim(1);
  other.end_leases_of("host/0");
  const auto taken = other.claim(2);
  BOOST_REQUIRE(taken.size() == 1u);
  BOOST_TEST(taken.front().lease.run_id.str() == held.lease.run_id.str());
  BOOST_TEST(taken.front().attempt == held.attempt);
}

BOOST_AUTO_TEST_CASE(a_worker_that_could_not_connect_at_first_grants_the_grace_as_well) {
  start("p");
  RunQueue owner = queue("host/0");
  owner.claim(1);
  allow_sessions(false);
  RunQueue late = queue("host/1");
  BOOST_CHECK_THROW(late.claim(1), gp::Error);
  allow_sessions(true);
  expire();
  BOOST_TEST(late.claim(1).empty());
  std::this_thread::sleep_for(milliseconds(2200));
  BOOST_TEST(late.claim(1).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_run_given_back_is_queued_with_its_attempt_unused) {
  start("p");
  RunQueue owner = queue("host/0");
  const Claim claim = owner.claim(1).front();
  owner.give_back(claim.lease);
  const auto again = owner.claim(1);
  BOOST_REQUIRE(again.size() == 1u);
  BOOST_TEST(again.front().attempt == claim.attempt);
  BOOST_TEST(!again.front().former_token.has_value());
  owner.give_back(claim.lease);  // the old token: nothing happens
  BOOST_TEST(value("SELECT state FROM generation_runs") == "running");
}

BOOST_AUTO_TEST_CASE(a_new_run_rings_the_waiting_worker) {
  RunQueue worker = queue("host/0");
  worker.wait(milliseconds(0), -1);  // listens now
  const auto begun = gp::steady_now();
  const std::jthread starter([&] {
    std::this_thread::sleep_for(milliseconds(200));
    start("p");
  });
  worker.wait(seconds(20), -1);
  BOOST_TEST((gp::steady_now() - begun < seconds(10)));
  BOOST_TEST(worker.claim(1).size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_first_wait_says_that_a_ring_may_have_been_missed) {
  RunQueue worker = queue("host/0");
  BOOST_TEST(worker.wait(seconds(20), -1).queue);
  BOOST_TEST(!worker.wait(milliseconds(0), -1).queue);
  start("p");
  BOOST_TEST(worker.wait(seconds(20), -1).queue);
}

BOOST_AUTO_TEST_CASE(of_the_workers_of_a_pool_one_holds_a_listening_session) {
  const gp::UniqueFd ring(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::vector<RunQueue> pool;
  for (int slot = 0; slot < 4; ++slot)
    pool.emplace_back(url(), url(),
                      gp::runlog::QueueOptions{"host/" + std::to_string(slot), seconds(2), slot == 0});
  for (RunQueue& worker : pool) {
    worker.claim(1);
    worker.wait(milliseconds(0), ring.get());
  }
  BOOST_TEST(value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "application_name = 'generate-project worker listen'") == "1");
  ::eventfd_write(ring.get(), 1);
  const auto begun = gp::steady_now();
  BOOST_TEST(!pool.back().wait(seconds(20), ring.get()).queue);  // woken by the descriptor
  BOOST_TEST((gp::steady_now() - begun < seconds(10)));
}

BOOST_AUTO_TEST_SUITE_END()
