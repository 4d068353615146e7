// What a reader finds out about the runs it follows without a ring, and what becomes of a run without a
// worker.

#include "core/runlog/lost_runs.h"

#include <atomic>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/project/document.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::project::EventType;
using gp::project::Step;
using gp::runlog::Claim;
using gp::runlog::Cursor;
using gp::runlog::EndOutcome;
using gp::runlog::EventReader;
using gp::runlog::EventWriter;
using gp::runlog::LostRuns;
using gp::runlog::RunTail;
using gp::runlog::Sweep;
using gp::runlog::WriteOutcome;
using integration::Migrated;
using integration::request;
using std::chrono::seconds;

namespace {

struct Fixture : Migrated {
  EventWriter writer{url()};
  LostRuns lost_runs{url(), "https://logs.example"};

  /// A run that a worker has begun.
  Claim begun(const std::string& project_id) {
    gp::runlog::RunIntake(url()).start(request(project_id));
    const Claim claim = gp::runlog::RunQueue(url(), url(), {"host/0", seconds(30)}).claim(1).front();
    const Step first = started(claim, 1);
    BOOST_REQUIRE((writer.write(std::span(&first, 1)).front() == WriteOutcome::kWritten));
    return claim;
  }
  static Step started(const Claim& claim, std::int64_t id) {
    const gp::Json members = {{"attempt", 1}, {"model", "m"}, {"resumed_sections", gp::Json::array()}};
    return {claim.lease.run_id,
            claim.lease.token,
            {id, EventType::kRunStarted,
             gp::project::event_data(claim.lease.run_id, claim.request.project_id, "2026-11-24T08:00:00.000Z",
                                     members)},
            "{}",
            {}};
  }
  void expire(const Claim& claim, int seconds_ago) const {
    script("UPDATE generation_runs SET lease_expires_at = now() - interval '" + std::to_string(seconds_ago) +
           " seconds' WHERE run_id = '" + claim.lease.run_id.str() + "'");
  }
  RunTail read(const Claim& claim) const {
    const Cursor cursor{claim.lease.run_id, 0};
    return EventReader(url()).read(std::span(&cursor, 1), 100).front();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lost_runs, Fixture)

BOOST_AUTO_TEST_CASE(a_lost_run_whose_project_is_locked_keeps_no_reader_waiting_and_is_lost_again) {
  const Claim lost = begun("lost");
  expire(lost, 100);
  {
    const integration::LockedRow lock(url(), "SELECT 1 FROM projects");
    BOOST_TEST((lost_runs.end(lost.lease.run_id, seconds(60)) == EndOutcome::kLocked));
    BOOST_TEST(read(lost).events.size() == 1u);
  }
  expire(lost, 100);
  BOOST_TEST((lost_runs.end(lost.lease.run_id, seconds(60)) == EndOutcome::kEnded));
  BOOST_TEST((read(lost).standing == RunTail::Standing::kEnded));
}

BOOST_AUTO_TEST_CASE(a_lost_run_whose_own_row_is_locked_keeps_no_reader_waiting_at_all) {
  const Claim lost = begun("lost");
  expire(lost, 100);
  {
    const integration::LockedRow lock(
        url(), "SELECT 1 FROM generation_runs WHERE run_id = '" + lost.lease.run_id.str() + "'");
    const auto begun = gp::steady_now();
    BOOST_TEST((lost_runs.end(lost.lease.run_id, seconds(60)) == EndOutcome::kNotOurs));
    BOOST_TEST((gp::steady_now() - begun < seconds(1)));
  }
  BOOST_TEST((lost_runs.end(lost.lease.run_id, seconds(60)) == EndOutcome::kEnded));
}

BOOST_AUTO_TEST_CASE(a_reader_that_meets_a_locked_table_waits_once) {
  const Claim lost = begun("lost");
  expire(lost, 100);
  gp::pg::Session app(url(), "app");
  app.run_script("BEGIN; LOCK TABLE projects");
  const auto begun = gp::steady_now();
  BOOST_TEST((lost_runs.end(lost.lease.run_id, seconds(60)) == EndOutcome::kLocked));
  BOOST_TEST((gp::steady_now() - begun < seconds(3)));  // twice the patience
}

BOOST_AUTO_TEST_CASE(a_sweep_names_the_runs_with_news_and_those_without_a_worker_and_no_other) {
  const Claim quiet = begun("quiet");
  const Claim news = begun("news");
  const Claim just_expired = begun("just_expired");
  const Claim lost = begun("lost");
  expire(just_expired, 5);
  expire(lost, 100);
  const std::vector<Cursor> cursors = {{quiet.lease.run_id, 1},
                                       {news.lease.run_id, 0},
                                       {just_expired.lease.run_id, 1},
                                       {lost.lease.run_id, 1},
                                       {gp::RunId(gp::make_uuid()), 0}};
  EventReader reader(url());
  const Sweep sweep = reader.find_behind(cursors, seconds(60));
  BOOST_TEST((sweep.behind == std::vector{news.lease.run_id}));
  BOOST_TEST((sweep.lost == std::vector{lost.lease.run_id}));
  const Sweep nothing = reader.find_behind({}, seconds(60));
  BOOST_TEST(nothing.behind.empty());
  for (const Sweep& each : {sweep, nothing}) {
    BOOST_TEST(std::abs(each.database_clock.count() -
                        std::stoll(value("(extract(epoch FROM now()) * 1000)::bigint"))) < 60'000);
  }
}

BOOST_AUTO_TEST_CASE(an_event_tells_when_it_was_committed) {
  const Claim run = begun("p");
  const auto committed = read(run).events.front().committed_at_ms;
  BOOST_TEST(std::abs(committed - std::stoll(value("(extract(epoch FROM now()) * 1000)::bigint"))) < 60'000);
}

BOOST_AUTO_TEST_CASE(a_run_without_a_worker_ends_in_error_and_its_document_says_so) {
  const Claim run = begun("p");
  expire(run, 100);
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kEnded));
  const RunTail tail = read(run);
  BOOST_TEST((tail.standing == RunTail::Standing::kEnded));
  BOOST_REQUIRE(tail.events.size() == 2u);
  BOOST_TEST(tail.events[1].type == "error");
  const gp::Json data = gp::parse_json(tail.events[1].data);
  BOOST_TEST(data.at("code") == "worker_lost");
  BOOST_TEST(data.at("retryable") == true);
  BOOST_TEST(data.at("project_id") == "p");
  const auto document = gp::runlog::ProjectDocuments(url()).find({run.request.project_id, ""});
  BOOST_REQUIRE(document.has_value());
  const gp::Json json = gp::parse_json(document->text);
  BOOST_TEST(json.at("status") == "error");
  BOOST_TEST(json.at("logs").at("csv_url") == "https://logs.example/" + run.lease.run_id.str() + ".csv");
  BOOST_TEST(value("SELECT error_code FROM generation_runs") == "worker_lost");
  BOOST_TEST(value("SELECT llm_calls FROM generation_runs") == "1");  // at least: its worker began one
  BOOST_TEST(value("SELECT num_nonnulls(prompt_tokens, completion_tokens, cost_usd) FROM generation_runs") ==
             "0");
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE lease_token IS NOT NULL") == "0");
}

BOOST_AUTO_TEST_CASE(a_run_whose_lease_is_good_or_that_has_ended_is_left_alone) {
  const Claim run = begun("p");
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kNotOurs));
  expire(run, 10);
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kNotOurs));
  expire(run, 100);
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kEnded));
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kNotOurs));
  BOOST_TEST((lost_runs.end(gp::RunId(gp::make_uuid()), seconds(60)) == EndOutcome::kNotOurs));
  BOOST_TEST(read(run).events.size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_worker_that_comes_back_after_its_run_was_ended_writes_nothing) {
  const Claim run = begun("p");
  expire(run, 100);
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kEnded));
  const Step late = started(run, 2);
  BOOST_TEST((writer.write(std::span(&late, 1)).front() == WriteOutcome::kFenced));
}

BOOST_AUTO_TEST_CASE(of_many_readers_one_ends_the_run) {
  const Claim run = begun("p");
  expire(run, 100);
  std::atomic<int> ended = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 6; ++i) {
      readers.emplace_back([&] {
        if (LostRuns(url(), "").end(run.lease.run_id, seconds(60)) == EndOutcome::kEnded) ++ended;
      });
    }
  }
  BOOST_TEST(ended == 1);
  BOOST_TEST(read(run).events.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_ended_is_started_again_where_it_was) {
  const Claim run = begun("p");
  expire(run, 100);
  BOOST_TEST((lost_runs.end(run.lease.run_id, seconds(60)) == EndOutcome::kEnded));
  const auto outcome = gp::runlog::RunIntake(url()).start(request("p"));
  BOOST_TEST((outcome.kind == gp::runlog::StartOutcome::Kind::kRestarted));
  const Claim again = gp::runlog::RunQueue(url(), url(), {"host/0", seconds(30)}).claim(1).front();
  BOOST_TEST(again.lease.run_id.str() == run.lease.run_id.str());
  BOOST_TEST(again.events.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
