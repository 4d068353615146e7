#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/run_intake.h"
#include "tests/integration/database.h"

using gp::runlog::RunIntake;
using gp::runlog::StartOutcome;
using integration::Migrated;
using integration::request;

BOOST_FIXTURE_TEST_SUITE(intake, Migrated)

BOOST_AUTO_TEST_CASE(the_same_pair_has_one_run_for_ever) {
  RunIntake intake(url());
  const auto first = intake.start(request("p"));
  BOOST_TEST((first.kind == StartOutcome::Kind::kStarted));
  const auto again = intake.start(request("p"));
  BOOST_TEST((again.kind == StartOutcome::Kind::kAlready));
  BOOST_TEST(again.run_id.str() == first.run_id.str());
  BOOST_TEST(!again.request_differs);
  auto other = request("p");
  other.topic = "Ratios";
  BOOST_TEST(intake.start(other).request_differs);
  BOOST_TEST(intake.start(request("p", "chat 2")).run_id.str() != first.run_id.str());
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == "2");
}

BOOST_AUTO_TEST_CASE(several_runs_are_one_ring_and_what_is_known_is_none) {
  gp::pg::Session ear(url(), "ear");
  ear.listen(gp::runlog::kQueueChannel);
  const auto rings = [&] {
    std::size_t count = 0;
    while (const auto heard = ear.wait(std::chrono::milliseconds(300), -1).size()) count += heard;
    return count;
  };
  {
    RunIntake intake(url());
    intake.start(request("p"));
    intake.start(request("q"));
    BOOST_TEST(rings() == 0u);
    intake.ring();
    BOOST_TEST(rings() == 1u);
    intake.ring();
    intake.start(request("q"));
    intake.ring();
    BOOST_TEST(rings() == 0u);
    intake.start(request("r"));
  }
  BOOST_TEST(rings() == 1u);  // before it ends
}

BOOST_AUTO_TEST_CASE(a_hundred_threads_make_one_run) {
  std::mutex mutex;
  std::set<std::string> runs;
  int started = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 100; ++i) {
      callers.emplace_back([&] {
        const auto outcome = RunIntake(url()).start(request("hundred"));
        const std::lock_guard lock(mutex);
        runs.insert(outcome.run_id.str());
        started += outcome.kind == StartOutcome::Kind::kStarted ? 1 : 0;
      });
    }
  }
  BOOST_TEST(runs.size() == 1u);
  BOOST_TEST(started == 1);
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_is_queued_again_by_one_caller_only) {
  RunIntake intake(url());
  const auto first = intake.start(request("again"));
  script("UPDATE generation_runs SET state = 'error', finished_at = now(), error_code = 'timeout'");
  int restarted = 0;
  {
    std::mutex mutex;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 20; ++i) {
      callers.emplace_back([&] {
        const auto outcome = RunIntake(url()).start(request("again"));
        const std::lock_guard lock(mutex);
        BOOST_TEST(outcome.run_id.str() == first.run_id.str());
        restarted += outcome.kind == StartOutcome::Kind::kRestarted ? 1 : 0;
      });
    }
  }
  BOOST_TEST(restarted == 1);
  BOOST_TEST(value("SELECT attempt FROM generation_runs") == "2");
  BOOST_TEST(value("SELECT state FROM generation_runs") == "queued");
}

BOOST_AUTO_TEST_CASE(text_of_any_kind_is_data_and_never_a_statement) {
  RunIntake intake(url());
  auto odd = request("'; DROP TABLE generation_runs; --", "$1 \\ \" {a,b}");
  odd.topic = "مرحبا \xF0\x9F\x98\x80 'quoted'";
  const auto outcome = intake.start(odd);
  BOOST_TEST((outcome.kind == StartOutcome::Kind::kStarted));
  BOOST_TEST((intake.start(odd).kind == StartOutcome::Kind::kAlready));
  BOOST_TEST(value("SELECT project_id FROM generation_runs") == "'; DROP TABLE generation_runs; --");
}

BOOST_AUTO_TEST_CASE(a_broken_connection_is_made_anew) {
  RunIntake intake(url());
  intake.start(request("p"));
  script(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'generate-project%'");
  try {
    intake.start(request("p"));
  } catch (const gp::Error& error) {
    BOOST_TEST((error.kind() == gp::ErrorKind::kUnavailable));  // the caller is told once, and only once
  }
  BOOST_TEST((intake.start(request("p")).kind == StartOutcome::Kind::kAlready));
}

BOOST_AUTO_TEST_SUITE_END()
