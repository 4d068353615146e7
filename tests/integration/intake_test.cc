#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/lock_wait.h"
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
  auto of_another = request("p");
  of_another.owner_email = gp::Secret("another@school.ae");
  BOOST_TEST(intake.start(of_another).request_differs);
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

using gp::project::StartRequest;
using Outcomes = std::vector<std::optional<StartOutcome>>;

Outcomes start_together(RunIntake& intake, const std::vector<StartRequest>& requests) {
  std::vector<const StartRequest*> pointers;
  for (const StartRequest& each : requests) pointers.push_back(&each);
  return intake.start_together(pointers);
}

BOOST_AUTO_TEST_CASE(requests_that_came_together_are_what_they_are_alone) {
  RunIntake intake(url());
  const auto known = intake.start(request("known"));
  const auto failed = intake.start(request("failed"));
  script(
      "UPDATE generation_runs SET state = 'error', finished_at = now(), error_code = 'timeout' "
      "WHERE project_id = 'failed'");
  auto other = request("known");
  other.topic = "Ratios";
  const auto odd = request("'; DROP TABLE generation_runs; --", "$1 \\ \" {a,b}");
  const auto outcomes = start_together(
      intake, {other, request("new"), request("failed"), odd, request("new"), request("new", "chat 2")});
  BOOST_REQUIRE(outcomes.size() == 6u);
  BOOST_TEST((outcomes[0]->kind == StartOutcome::Kind::kAlready));
  BOOST_TEST(outcomes[0]->run_id.str() == known.run_id.str());
  BOOST_TEST(outcomes[0]->request_differs);
  for (const std::size_t place : {1, 3, 5}) {
    BOOST_TEST((outcomes[place]->kind == StartOutcome::Kind::kStarted));
    BOOST_TEST(!outcomes[place]->request_differs);
  }
  BOOST_TEST(!outcomes[2].has_value());  // to be restarted, by itself
  BOOST_TEST(!outcomes[4].has_value());  // the same pair again
  const auto again = intake.start(request("new"));
  BOOST_TEST((again.kind == StartOutcome::Kind::kAlready));
  BOOST_TEST(again.run_id.str() == outcomes[1]->run_id.str());
  BOOST_TEST(!again.request_differs);
  BOOST_TEST((intake.start(odd).run_id.str() == outcomes[3]->run_id.str()));
  BOOST_TEST(intake.start(request("failed")).run_id.str() == failed.run_id.str());
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == "5");
  BOOST_TEST(value("SELECT count(DISTINCT xmin::text) FROM generation_runs WHERE project_id = 'new'") == "1");
}

BOOST_AUTO_TEST_CASE(one_project_under_several_names_has_one_run) {
  struct Names {
    const char* type;
    const char* name;
    const char* other;
  };
  for (const Names& each : std::array<Names, 3>{
           {{"uuid", "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10", "{6F1C9D2E7B1A4C559A600D9F2F1F3F10}"},
            {"bigint", "7", "+07"},
            {"text", "ABC", "abc"}}}) {
    script(std::string("TRUNCATE generation_runs CASCADE; DROP TABLE projects; CREATE TABLE projects (id ") +
           each.type + " PRIMARY KEY, spec_json jsonb, updated_at timestamptz)");
    const bool are_same = each.type != std::string("text");
    RunIntake intake(url());
    const auto first = intake.start(request(each.name));
    const auto second = intake.start(request(each.other));
    BOOST_TEST((first.run_id == second.run_id) == are_same, each.type);
    BOOST_TEST(!second.request_differs);
    BOOST_TEST(value("SELECT project_id FROM generation_runs ORDER BY start_order LIMIT 1") == each.name);
    const auto together = start_together(intake, {request(each.other, "c"), request(each.name, "c")});
    BOOST_TEST(together[0].has_value());
    BOOST_TEST(together[1].has_value() != are_same, each.type);
  }
}

BOOST_AUTO_TEST_CASE(one_alone_is_left_to_start) {
  RunIntake intake(url());
  BOOST_TEST(start_together(intake, {}).empty());
  BOOST_TEST(!start_together(intake, {request("p")}).front());
  const auto one = request("p");
  const auto outcomes = intake.start_together(std::to_array<const StartRequest*>({nullptr, &one, nullptr}));
  BOOST_TEST(outcomes.size() == 3u);
  BOOST_TEST(std::ranges::none_of(outcomes, &std::optional<StartOutcome>::has_value));
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == "0");
}

BOOST_AUTO_TEST_CASE(together_no_more_are_recorded_than_there_is_room_for) {
  RunIntake intake(url(), 3);
  intake.start(request("first"));
  const auto outcomes =
      start_together(intake, {request("a"), request("b"), request("c"), request("d"), request("first")});
  BOOST_TEST(std::ranges::count_if(outcomes, [](const auto& outcome) {
               return outcome && outcome->kind == StartOutcome::Kind::kStarted;
             }) == 2);
  BOOST_TEST((outcomes.back()->kind == StartOutcome::Kind::kAlready));
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == "3");
  BOOST_TEST((intake.start(request("e")).kind == StartOutcome::Kind::kQueueFull));
}

BOOST_AUTO_TEST_CASE(several_that_record_the_same_pairs_in_other_orders_make_one_run_of_each) {
  constexpr int kPairs = 8;
  constexpr int kRounds = 20;
  constexpr int kCallers = 4;
  std::atomic<int> started = 0;
  std::barrier all_are_here(kCallers);
  const auto record = [&](bool is_reversed) {
    RunIntake intake(url());
    for (int round = 0; round < kRounds; ++round) {
      all_are_here.arrive_and_wait();
      std::vector<StartRequest> requests;
      for (int i = 0; i < kPairs; ++i) requests.push_back(request(fmt::format("{}_{}", round, i)));
      if (is_reversed) std::ranges::reverse(requests);
      const auto outcomes = start_together(intake, requests);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const StartOutcome outcome = outcomes[i] ? *outcomes[i] : intake.start(requests[i]);
        started += outcome.kind == StartOutcome::Kind::kStarted ? 1 : 0;
      }
    }
  };
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) callers.emplace_back([&, i] { record(i % 2 == 1); });
  }
  BOOST_TEST(started == kPairs * kRounds);
  BOOST_TEST(value("SELECT count(*) FROM generation_runs") == std::to_string(kPairs * kRounds));
  BOOST_TEST(value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == "0");
}

BOOST_AUTO_TEST_CASE(together_nothing_is_said_while_the_database_is_away) {
  RunIntake intake(gp::Secret("host=/nowhere dbname=none"));
  for (const auto& outcome : start_together(intake, {request("p"), request("q")})) BOOST_TEST(!outcome);
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

BOOST_AUTO_TEST_CASE(a_run_whose_row_is_locked_is_to_be_started_again_later_and_keeps_nobody_waiting) {
  RunIntake intake(url());
  intake.start(request("p"));
  script("UPDATE generation_runs SET state = 'error', finished_at = now(), error_code = 'timeout'");
  {
    const integration::LockedRow lock(url(), "SELECT 1 FROM generation_runs");
    const auto begun = gp::steady_now();
    BOOST_CHECK_EXCEPTION(intake.start(request("p")), gp::Error,
                          [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
    BOOST_TEST((gp::steady_now() - begun < 2 * gp::runlog::kLockPatience));
    BOOST_TEST((intake.start(request("q")).kind == StartOutcome::Kind::kStarted));
  }
  BOOST_TEST((intake.start(request("p")).kind == StartOutcome::Kind::kRestarted));
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
  end_sessions("generate-project start");
  try {
    intake.start(request("p"));
  } catch (const gp::Error& error) {
    BOOST_TEST((error.kind() == gp::ErrorKind::kUnavailable));  // the caller is told once, and only once
  }
  BOOST_TEST((intake.start(request("p")).kind == StartOutcome::Kind::kAlready));
}

BOOST_AUTO_TEST_SUITE_END()
