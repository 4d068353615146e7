// Cancelling a run in each of its states, and who ends it.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/lost_runs.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/run_canceller.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::Json;
using gp::RunId;
using gp::project::EventType;
using gp::project::Step;
using gp::runlog::CancelOutcome;
using gp::runlog::Claim;
using gp::runlog::Cursor;
using gp::runlog::EventWriter;
using gp::runlog::RunCanceller;
using gp::runlog::RunQueue;
using gp::runlog::RunTail;
using gp::runlog::WriteOutcome;
using integration::Migrated;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = CancelOutcome::Kind;

namespace {

struct Fixture : Migrated {
  RunCanceller canceller{url(), "", seconds(60)};

  RunQueue queue(const std::string& owner = "host/0") const { return {url(), url(), {owner, seconds(30)}}; }
  RunId start(const std::string& project_id = "p") const {
    return gp::runlog::RunIntake(url()).start(request(project_id)).run_id;
  }
  /// A run that a worker has begun.
  Claim begun() const {
    start();
    const Claim claim = queue().claim(1).front();
    write(step(claim, 1, EventType::kRunStarted,
               {{"attempt", 1}, {"model", "m"}, {"resumed_sections", Json::array()}}));
    return claim;
  }
  static Step step(const Claim& claim, std::int64_t id, EventType type, const Json& members) {
    return {claim.lease.run_id,
            claim.lease.token,
            {id, type,
             gp::project::event_data(claim.lease.run_id, claim.request.project_id, "2026-11-24T08:00:00.000Z",
                                     members)},
            "{}",
            {}};
  }
  WriteOutcome write(const Step& step) const { return EventWriter(url()).write(std::span(&step, 1)).front(); }
  void end(const Claim& claim, std::int64_t id, bool is_complete) const {
    Step last = step(claim, id, is_complete ? EventType::kRunCompleted : EventType::kError, Json::object());
    last.end = gp::project::RunEnd{.complete = is_complete,
                                   .error_code = is_complete ? "" : "timeout",
                                   .error_message = is_complete ? "" : "m",
                                   .usage = {},
                                   .cost_usd = {}};
    BOOST_TEST((write(last) == WriteOutcome::kWritten));
  }
  void expire(int seconds_ago) const {
    script("UPDATE generation_runs SET lease_expires_at = now() - interval '" + std::to_string(seconds_ago) +
           " seconds' WHERE state = 'running'");
  }
  RunTail read(const RunId& run_id) const {
    const Cursor cursor{run_id, 0};
    return gp::runlog::EventReader(url()).read(std::span(&cursor, 1), 100).front();
  }
  /// The run has ended as cancelled: its last event, its row and its document say so.
  void check_cancelled(const RunId& run_id, std::size_t events) const {
    const RunTail tail = read(run_id);
    BOOST_TEST((tail.standing == RunTail::Standing::kEnded));
    BOOST_REQUIRE(tail.events.size() == events);
    const Json data = gp::parse_json(tail.events.back().data);
    BOOST_TEST(tail.events.back().type == "error");
    BOOST_TEST(tail.events.back().id == static_cast<std::int64_t>(events));
    BOOST_TEST(data.at("code") == "cancelled");
    BOOST_TEST(data.at("retryable") == false);
    BOOST_TEST(value("SELECT error_code FROM generation_runs WHERE run_id = '" + run_id.str() + "'") ==
               "cancelled");
    BOOST_TEST(
        value("SELECT count(*) FROM generation_runs WHERE lease_token IS NOT NULL AND state = 'error'") ==
        "0");
  }
  std::string document_status() const { return value("SELECT spec_json->>'status' FROM projects"); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cancel, Fixture)

BOOST_AUTO_TEST_CASE(a_run_whose_project_is_locked_is_being_stopped_and_ends_later) {
  const RunId run_id = start();
  script("INSERT INTO projects (id, spec_json, updated_at) VALUES ('p', '{}', now())");
  {
    const integration::LockedRow lock(url(), "SELECT 1 FROM projects");
    BOOST_TEST((canceller.cancel(run_id).kind == Kind::kStopping));
    BOOST_TEST(read(run_id).events.empty());
  }
  expire(61);  // the canceller's own lease
  BOOST_TEST((canceller.cancel(run_id).kind == Kind::kEnded));
  check_cancelled(run_id, 1);
}

BOOST_AUTO_TEST_CASE(a_run_whose_own_row_is_locked_is_to_be_cancelled_again_and_keeps_nobody_waiting) {
  const RunId run_id = start();
  {
    const integration::LockedRow lock(url(),
                                      "SELECT 1 FROM generation_runs WHERE run_id = '" + run_id.str() + "'");
    const auto begun = gp::steady_now();
    BOOST_CHECK_EXCEPTION(canceller.cancel(run_id), gp::Error,
                          [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
    BOOST_TEST((gp::steady_now() - begun < 2 * gp::runlog::kLockPatience));  // it is not tried twice
  }
  BOOST_TEST((canceller.cancel(run_id).kind == Kind::kEnded));
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_ends_at_once_and_is_never_taken) {
  const RunId run_id = start();
  const CancelOutcome outcome = canceller.cancel(run_id);
  BOOST_TEST((outcome.kind == Kind::kEnded));
  BOOST_TEST(outcome.ended_now);
  BOOST_TEST(outcome.error_code == "cancelled");
  check_cancelled(run_id, 1);
  BOOST_TEST(value("SELECT prompt_tokens || ' ' || cost_usd FROM generation_runs") == "0 0.000000");
  BOOST_TEST(document_status() == "error");
  BOOST_TEST(queue().claim(10).empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_a_worker_has_is_left_to_it_and_the_worker_finds_out) {
  const Claim claim = begun();
  RunQueue worker = queue();
  const auto find = [&] { return worker.find_cancelled(std::span(&claim.lease, 1)); };
  BOOST_TEST(find().empty());
  BOOST_TEST((canceller.cancel(claim.lease.run_id).kind == Kind::kStopping));
  BOOST_TEST((find() == std::vector{claim.lease.run_id}));
  const auto renewal = worker.renew(std::span(&claim.lease, 1));
  BOOST_TEST((renewal.cancelled == std::vector{claim.lease.run_id}));
  BOOST_TEST(renewal.lost.empty());
  BOOST_TEST(read(claim.lease.run_id).events.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_cancel_rings_the_waiting_worker) {
  const Claim claim = begun();
  RunQueue worker = queue();
  BOOST_TEST(worker.wait(milliseconds(0), -1).cancels);  // it listens only now: one may be missed
  BOOST_TEST(!worker.wait(milliseconds(0), -1).cancels);
  canceller.cancel(claim.lease.run_id);
  const auto rings = worker.wait(seconds(20), -1);
  BOOST_TEST(rings.cancels);
  BOOST_TEST(!rings.queue);
}

BOOST_AUTO_TEST_CASE(cancelling_again_changes_nothing) {
  const RunId run_id = start();
  canceller.cancel(run_id);
  for (int i = 0; i < 3; ++i) {
    const CancelOutcome again = canceller.cancel(run_id);
    BOOST_TEST((again.kind == Kind::kEnded));
    BOOST_TEST(!again.ended_now);
    BOOST_TEST(again.error_code == "cancelled");
  }
  check_cancelled(run_id, 1);
}

BOOST_AUTO_TEST_CASE(a_run_that_has_ended_stays_as_it_ended) {
  const Claim good = begun();
  end(good, 2, true);
  const CancelOutcome complete = canceller.cancel(good.lease.run_id);
  BOOST_TEST((complete.kind == Kind::kEnded));
  BOOST_TEST(complete.state == "complete");
  BOOST_TEST(complete.error_code == "");
  BOOST_TEST(read(good.lease.run_id).events.size() == 2u);
  BOOST_TEST((canceller.cancel(RunId(gp::make_uuid())).kind == Kind::kUnknown));
}

BOOST_AUTO_TEST_CASE(a_run_that_had_failed_keeps_its_code) {
  const Claim failed = begun();
  end(failed, 2, false);
  const CancelOutcome outcome = canceller.cancel(failed.lease.run_id);
  BOOST_TEST(outcome.state == "error");
  BOOST_TEST(outcome.error_code == "timeout");
  BOOST_TEST(!outcome.ended_now);
}

BOOST_AUTO_TEST_CASE(whoever_takes_over_a_cancelled_run_ends_it_instead_of_generating) {
  const Claim claim = begun();
  canceller.cancel(claim.lease.run_id);
  expire(1);
  start("next");
  const auto taken = queue("other/0").claim(1);
  BOOST_REQUIRE(taken.size() == 1u);  // another one in its place
  BOOST_TEST(taken.front().request.project_id.str() == "next");
  check_cancelled(claim.lease.run_id, 2);
  BOOST_TEST((write(step(claim, 2, EventType::kSectionStarted, Json::object())) == WriteOutcome::kFenced));
}

BOOST_AUTO_TEST_CASE(one_free_place_is_enough_to_end_all_cancelled_runs_that_lost_their_worker) {
  for (const char* project : {"a", "b", "c"}) start(project);
  for (const Claim& claim : queue().claim(3)) canceller.cancel(claim.lease.run_id);
  expire(1);
  BOOST_TEST(queue("other/0").claim(1).empty());
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE error_code = 'cancelled'") == "3");
}

BOOST_AUTO_TEST_CASE(a_run_given_back_after_it_was_cancelled_is_ended_by_the_next_worker) {
  const Claim claim = begun();
  canceller.cancel(claim.lease.run_id);
  RunQueue worker = queue();
  worker.give_back(claim.lease);
  BOOST_TEST(worker.claim(1).empty());
  check_cancelled(claim.lease.run_id, 2);
  BOOST_TEST(document_status() == "error");
}

BOOST_AUTO_TEST_CASE(a_run_whose_worker_is_lost_is_ended_by_the_canceller_itself) {
  const Claim claim = begun();
  expire(100);
  const CancelOutcome outcome = canceller.cancel(claim.lease.run_id);
  BOOST_TEST(outcome.ended_now);
  check_cancelled(claim.lease.run_id, 2);
}

BOOST_AUTO_TEST_CASE(a_reader_that_ends_a_lost_run_says_that_it_was_cancelled) {
  const Claim claim = begun();
  canceller.cancel(claim.lease.run_id);
  expire(100);
  BOOST_TEST((gp::runlog::LostRuns(url(), "").end(claim.lease.run_id, seconds(60)) ==
              gp::runlog::EndOutcome::kEnded));
  check_cancelled(claim.lease.run_id, 2);
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_is_started_again_and_its_next_attempt_is_not_cancelled) {
  const RunId run_id = start();
  canceller.cancel(run_id);
  BOOST_TEST(start().str() == run_id.str());
  const auto again = queue().claim(1);
  BOOST_REQUIRE(again.size() == 1u);
  BOOST_TEST(again.front().attempt == 2);
  BOOST_TEST(queue().find_cancelled(std::span(&again.front().lease, 1)).empty());
  BOOST_TEST(again.front().events.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_hundred_cancels_at_once_are_one_end) {
  const RunId run_id = start();
  std::atomic<int> ended_now = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 25; ++i) {
      callers.emplace_back([&] {
        RunCanceller mine(url(), "", seconds(60));
        for (int call = 0; call < 4; ++call) {
          if (mine.cancel(run_id).ended_now) ++ended_now;
        }
      });
    }
  }
  BOOST_TEST(ended_now == 1);
  check_cancelled(run_id, 1);
}

BOOST_AUTO_TEST_CASE(cancels_and_claims_at_once_leave_every_run_ended_once_or_taken) {
  std::vector<RunId> runs;
  for (int i = 0; i < 40; ++i) runs.push_back(start("p" + std::to_string(i)));
  {
    std::vector<std::jthread> threads;
    for (int worker = 0; worker < 4; ++worker) {
      threads.emplace_back([&, worker] {
        RunQueue mine = queue("host/" + std::to_string(worker));
        for (int i = 0; i < 10; ++i) mine.claim(2);
      });
    }
    threads.emplace_back([&] {
      for (const RunId& run_id : runs) canceller.cancel(run_id);
    });
  }
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE state = 'queued'") == "0");
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE cancel_attempt = attempt") == "40");
  BOOST_TEST(value("SELECT count(*) FROM generation_runs r WHERE (state = 'error') <> EXISTS (SELECT FROM "
                   "generation_events e WHERE e.run_id = r.run_id AND e.type = 'error' AND e.id = 1)") ==
             "0");
  BOOST_TEST(value("SELECT count(*) FROM generation_events WHERE id > 1") == "0");
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_be_read_back_ends_alone_and_the_others_go_on) {
  const RunId broken = start("broken");
  const RunId good = start("good");
  script("UPDATE generation_runs SET request = '{\"topic\": 7}' WHERE project_id = 'broken'");
  const auto claims = queue().claim(5);
  BOOST_REQUIRE(claims.size() == 1u);
  BOOST_TEST(claims.front().lease.run_id.str() == good.str());
  const RunTail tail = read(broken);
  BOOST_TEST((tail.standing == RunTail::Standing::kEnded));
  BOOST_REQUIRE(tail.events.size() == 1u);
  const Json data = gp::parse_json(tail.events.front().data);
  BOOST_TEST(data.at("code") == "internal");
  BOOST_TEST(data.at("run_id") == broken.str());
  BOOST_TEST(data.at("project_id") == "broken");
  BOOST_TEST(value("SELECT count(*) FROM projects WHERE id = 'broken'") == "0");
}

BOOST_AUTO_TEST_CASE(a_run_with_an_event_that_nobody_knows_ends_alone_after_it) {
  const Claim claim = begun();
  script("ALTER TABLE generation_events DROP CONSTRAINT generation_events_type_check");
  script("UPDATE generation_events SET type = 'from_the_future'");
  RunQueue worker = queue();
  worker.give_back(claim.lease);
  BOOST_TEST(worker.claim(1).empty());
  BOOST_TEST(read(claim.lease.run_id).events.size() == 2u);
  BOOST_TEST(value("SELECT error_code FROM generation_runs") == "internal");
}

BOOST_AUTO_TEST_CASE(a_run_that_cannot_even_be_ended_does_not_keep_the_others_waiting) {
  const Claim claim = begun();
  start("good");
  script("UPDATE generation_runs SET next_event_id = 1 WHERE project_id = 'p'");  // event 1 is there already
  RunQueue worker = queue();
  worker.give_back(claim.lease);
  script("UPDATE generation_runs SET cancel_attempt = attempt WHERE project_id = 'p'");
  const auto claims = worker.claim(2);
  BOOST_REQUIRE(claims.size() == 1u);
  BOOST_TEST(claims.front().request.project_id.str() == "good");
}

BOOST_AUTO_TEST_SUITE_END()
