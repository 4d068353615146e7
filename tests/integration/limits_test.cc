// What keeps one owner, one project or one poison run from holding up all others.

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/lost_runs.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::Json;
using gp::RunId;
using gp::runlog::Claim;
using gp::runlog::Cursor;
using gp::runlog::QueueOptions;
using gp::runlog::RunIntake;
using gp::runlog::RunQueue;
using gp::runlog::RunTail;
using gp::runlog::StartOutcome;
using integration::Migrated;
using integration::request;
using std::chrono::seconds;
using Kind = StartOutcome::Kind;
using Names = std::vector<std::string>;

namespace {

struct Fixture : Migrated {
  RunQueue queue(int per_owner, int per_project = 0, const std::string& name = "host/0") const {
    QueueOptions options{name, seconds(30)};
    options.most_per_owner = per_owner;
    options.most_per_project = per_project;
    return {url(), url(), options};
  }
  RunId start(const std::string& owner, const std::string& project_id,
              const std::string& chat = "chat") const {
    auto wanted = request(project_id, chat);
    wanted.owner_email = gp::Secret(owner + "@school.ae");
    return RunIntake(url()).start(wanted).run_id;
  }
  /// `count` waiting runs of one owner, each in a project of its own, quicker than one by one.
  void flood(const std::string& owner, int count) const {
    script(
        fmt::format("INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email) SELECT "
                    "gen_random_uuid(), "
                    "'{0}_' || i, 'c', '{{}}', '{0}@school.ae' FROM generate_series(1, {1}) i",
                    owner, count));
  }
  void finish(const Claim& claim) const {
    script(
        fmt::format("UPDATE generation_runs SET state = 'complete', finished_at = now(), lease_owner = NULL, "
                    "lease_token = NULL, lease_expires_at = NULL WHERE run_id = '{}'",
                    claim.lease.run_id.str()));
  }
  void expire(int seconds_ago) const {
    script(fmt::format(
        "UPDATE generation_runs SET lease_expires_at = now() - interval '{} seconds' WHERE state = "
        "'running'",
        seconds_ago));
  }
  static Names projects(const std::vector<Claim>& claims) {
    Names names;
    for (const Claim& claim : claims) names.push_back(claim.request.project_id.str());
    return names;
  }
  std::string running(const std::string& owner) const {
    return value(fmt::format(
        "SELECT count(*) FROM generation_runs WHERE state = 'running' AND owner_email = '{}@school.ae'",
        owner));
  }
};

/// The median time of a claim that finds nothing.
std::chrono::nanoseconds time_of_claim(RunQueue& queue) {
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < 9; ++i) {
    const auto begun = gp::steady_now();
    BOOST_TEST(queue.claim(10).empty());
    times.push_back(gp::steady_now() - begun);
  }
  std::ranges::nth_element(times, times.begin() + 4);
  return times[4];
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(limits, Fixture)

BOOST_AUTO_TEST_CASE(an_owner_has_so_many_runs_running_and_the_others_are_not_behind_the_rest) {
  for (const char* project : {"a1", "a2", "a3", "a4"}) start("anna", project);
  start("badr", "b1");
  RunQueue worker = queue(2);
  const auto first = worker.claim(10);
  BOOST_TEST((projects(first) == Names{"a1", "a2", "b1"}));
  BOOST_TEST(worker.claim(10).empty());
  finish(first[0]);
  BOOST_TEST((projects(worker.claim(10)) == Names{"a3"}));
  BOOST_TEST(running("anna") == "2");
}

BOOST_AUTO_TEST_CASE(a_project_has_so_many_runs_running_whoever_owns_them) {
  for (const char* chat : {"c1", "c2", "c3"}) start("anna", "shared", chat);
  start("badr", "shared", "c4");
  start("badr", "own");
  RunQueue worker = queue(0, 2);
  const auto first = worker.claim(10);
  BOOST_TEST((projects(first) == Names{"shared", "shared", "own"}));
  BOOST_TEST(worker.claim(10).empty());
  finish(first[0]);
  BOOST_TEST((projects(worker.claim(10)) == Names{"shared"}));
}

BOOST_AUTO_TEST_CASE(without_limits_all_are_taken) {
  flood("anna", 40);
  script("UPDATE generation_runs SET request = '" + gp::dump_json(gp::project::to_json(request("p"))) + "'");
  BOOST_TEST(queue(0).claim(100).size() == 40u);
}

BOOST_AUTO_TEST_CASE(the_limits_hold_exactly_while_many_workers_take_at_once) {
  for (int i = 0; i < 30; ++i) {
    start("anna", fmt::format("a{}", i));
    start("badr", fmt::format("b{}", i % 3), fmt::format("chat {}", i));
  }
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 8; ++i) {
      workers.emplace_back([&, i] {
        RunQueue mine = queue(7, 2, fmt::format("host/{}", i));
        for (int round = 0; round < 5; ++round) mine.claim(3);
      });
    }
  }
  BOOST_TEST(running("anna") == "7");
  BOOST_TEST(running("badr") == "6");  // three projects, two each
}

BOOST_AUTO_TEST_CASE(a_run_that_lost_its_worker_is_taken_over_although_its_owner_has_its_share) {
  start("anna", "a1");
  start("anna", "a2");
  BOOST_TEST(queue(1).claim(10).size() == 1u);
  expire(1);
  BOOST_TEST((projects(queue(1, 0, "other/0").claim(10)) == Names{"a1"}));
}

BOOST_AUTO_TEST_CASE(behind_a_flood_the_oldest_of_the_others_are_taken_first) {
  start("flooder", "first");
  RunQueue worker = queue(1, 1);
  BOOST_TEST(worker.claim(10).size() == 1u);
  start("anna", "busy");
  BOOST_TEST(worker.claim(10).size() == 1u);
  flood("flooder", 500);
  start("anna", "busy", "waits for its project and for anna");
  start("zoe", "z1");
  start("badr", "b1");
  start("zoe", "z2");
  BOOST_TEST((projects(worker.claim(1)) == Names{"z1"}));
  BOOST_TEST((projects(worker.claim(10)) == Names{"b1"}));
  BOOST_TEST(worker.claim(10).empty());
}

BOOST_AUTO_TEST_CASE(a_claim_behind_ten_thousand_runs_that_must_wait_takes_no_longer) {
  start("flooder", "first");
  RunQueue worker = queue(1, 1);
  BOOST_TEST(worker.claim(10).size() == 1u);
  flood("flooder", 300);
  script("ANALYZE generation_runs");
  const auto few = time_of_claim(worker);
  script(
      "INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email) SELECT "
      "gen_random_uuid(), "
      "'more_' || i, 'c', '{}', 'flooder@school.ae' FROM generate_series(1, 10000) i");
  script("ANALYZE generation_runs");
  const auto many = time_of_claim(worker);
  BOOST_TEST(many < 4 * few, many.count() << " ns against " << few.count());
  start("badr", "b1");
  BOOST_TEST((projects(worker.claim(10)) == Names{"b1"}));
}

// The queue's depth
// -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_full_queue_takes_no_new_run_and_still_knows_those_it_has) {
  RunIntake intake(url(), 2);
  const auto first = intake.start(request("p1"));
  BOOST_TEST((intake.start(request("p2")).kind == Kind::kStarted));
  BOOST_TEST((intake.start(request("p3")).kind == Kind::kQueueFull));
  BOOST_TEST((intake.start(request("p1")).kind == Kind::kAlready));
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == "2");
  const auto taken = queue(0).claim(1);
  BOOST_TEST(taken.front().lease.run_id.str() == first.run_id.str());
  BOOST_TEST((intake.start(request("p3")).kind == Kind::kStarted));
  BOOST_TEST((intake.start(request("p1")).kind == Kind::kAlready));  // running
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_is_started_again_when_there_is_room) {
  RunIntake intake(url(), 1);
  intake.start(request("failed"));
  script("UPDATE generation_runs SET state = 'error', finished_at = now(), error_code = 'timeout'");
  intake.start(request("waits"));
  BOOST_TEST((intake.start(request("failed")).kind == Kind::kQueueFull));
  BOOST_TEST(value("SELECT attempt FROM generation_runs WHERE project_id = 'failed'") == "1");
  queue(0).claim(1);
  BOOST_TEST((intake.start(request("failed")).kind == Kind::kRestarted));
}

// Takes
// -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(each_take_over_waits_longer_than_the_one_before) {
  start("anna", "poison");
  RunQueue worker = queue(0);
  BOOST_TEST(worker.claim(1).size() == 1u);
  expire(1);
  BOOST_TEST(worker.claim(1).size() == 1u);  // the first one at once
  for (const int wait : {5, 15, 45}) {
    expire(wait - 2);
    BOOST_TEST(worker.claim(1).empty(), wait);
    expire(wait + 2);
    BOOST_TEST(worker.claim(1).size() == 1u, wait);
  }
}

BOOST_AUTO_TEST_CASE(a_run_that_lost_its_worker_too_often_is_given_up_and_the_queue_moves_on) {
  const RunId poison = start("anna", "poison");
  start("badr", "good");
  RunQueue worker = queue(0);
  for (int take = 0; take < 5; ++take) {
    BOOST_TEST(worker.claim(1).front().lease.run_id.str() == poison.str());
    expire(1000);
  }
  const auto next = worker.claim(1);
  BOOST_TEST((projects(next) == Names{"good"}));
  const Cursor cursor{poison, 0};
  const RunTail tail = gp::runlog::EventReader(url()).read(std::span(&cursor, 1), 10).front();
  BOOST_TEST((tail.standing == RunTail::Standing::kEnded));
  const Json data = gp::parse_json(tail.events.back().data);
  BOOST_TEST(data.at("code") == "worker_crashed");
  BOOST_TEST(data.at("retryable") == false);
  // A person may start it again: then it has all its takes again.
  BOOST_TEST((RunIntake(url()).start(request("poison")).kind == Kind::kRestarted));
  BOOST_TEST((projects(worker.claim(1)) == Names{"poison"}));
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_for_its_take_over_holds_up_nobody) {
  start("anna", "poison");
  RunQueue worker = queue(0);
  worker.claim(1);
  expire(1);
  worker.claim(1);
  expire(1);
  start("badr", "good");
  BOOST_TEST((projects(worker.claim(1)) == Names{"good"}));
}

BOOST_AUTO_TEST_CASE(giving_a_run_back_uses_up_no_take) {
  start("anna", "p");
  RunQueue worker = queue(0);
  for (int i = 0; i < 12; ++i) {
    const auto taken = worker.claim(1);
    BOOST_REQUIRE(taken.size() == 1u);
    worker.give_back(taken.front().lease);
  }
  BOOST_TEST(value("SELECT takes FROM generation_runs") == "0");
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_for_its_take_over_is_not_lost) {
  const RunId run_id = start("anna", "p");
  queue(0).claim(1);
  script("UPDATE generation_runs SET takeover_wait_s = 100");
  const Cursor cursor{run_id, 0};
  gp::runlog::EventReader reader(url());
  gp::runlog::LostRuns lost_runs(url(), "");
  expire(100);
  BOOST_TEST(reader.find_behind(std::span(&cursor, 1), seconds(60)).lost.empty());
  BOOST_TEST((lost_runs.end(run_id, seconds(60)) == gp::runlog::EndOutcome::kNotOurs));
  expire(200);
  BOOST_TEST(reader.find_behind(std::span(&cursor, 1), seconds(60)).lost.size() == 1u);
  BOOST_TEST((lost_runs.end(run_id, seconds(60)) == gp::runlog::EndOutcome::kEnded));
}

BOOST_AUTO_TEST_SUITE_END()
