#include <atomic>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/runlog/doorbell.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::project::EventType;
using gp::project::Step;
using gp::runlog::Claim;
using gp::runlog::Cursor;
using gp::runlog::Doorbell;
using gp::runlog::EventReader;
using gp::runlog::EventWriter;
using gp::runlog::RunTail;
using gp::runlog::WriteOutcome;
using integration::Migrated;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Fixture : Migrated {
  EventWriter writer{url()};

  Claim claim(const std::string& project_id) const {
    gp::runlog::RunIntake(url()).start(request(project_id));
    auto claims = gp::runlog::RunQueue(url(), url(), {"host/0", seconds(30)}).claim(10);
    BOOST_REQUIRE(claims.size() == 1u);
    return claims.front();
  }

  static Step step(const Claim& claim, std::int64_t id, EventType type = EventType::kSectionStarted) {
    return {claim.lease.run_id,
            claim.lease.token,
            {id,
             type,
             {{"project_id", claim.request.project_id.str()}, {"n", id}, {"text", "é \xF0\x9F\x98\x80"}}},
            "{}",
            {}};
  }
  static Step last_step(const Claim& claim, std::int64_t id, bool complete) {
    Step last = step(claim, id, complete ? EventType::kRunCompleted : EventType::kError);
    last.end =
        gp::project::RunEnd{.complete = complete,
                            .error_code = complete ? "" : "timeout",
                            .error_message = complete ? "" : "m",
                            .usage = {.prompt_tokens = 10, .cached_tokens = 0, .completion_tokens = 20},
                            .cost_usd = 0.5,
                            .llm_calls = 2};
    return last;
  }
  std::vector<WriteOutcome> write(const std::vector<Step>& steps) { return writer.write(steps); }
  RunTail read(const Claim& claim, std::int64_t after, int limit = 100) const {
    EventReader reader(url());
    const Cursor cursor{claim.lease.run_id, after};
    return reader.read(std::span(&cursor, 1), limit).front();
  }
};

using Outcomes = std::vector<WriteOutcome>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(writer, Fixture)

BOOST_AUTO_TEST_CASE(steps_of_several_runs_are_written_together_and_read_back_as_they_were) {
  const Claim one = claim("one");
  const Claim two = claim("two");
  BOOST_TEST((write({step(one, 1), step(two, 1), step(one, 2)}) == Outcomes(3, WriteOutcome::kWritten)));
  const RunTail tail = read(one, 0);
  BOOST_TEST((tail.standing == RunTail::Standing::kOpen));
  BOOST_TEST(tail.last_id == 2);
  BOOST_REQUIRE(tail.events.size() == 2u);
  BOOST_TEST(tail.events[1].data == gp::dump_json(step(one, 2).event.data));
  BOOST_TEST(read(one, 1).events.size() == 1u);
  BOOST_TEST(read(one, 0, 1).events.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_number_that_is_not_the_next_one_is_refused) {
  const Claim run = claim("p");
  BOOST_TEST((write({step(run, 2)}) == Outcomes{WriteOutcome::kFenced}));
  BOOST_TEST(
      (write({step(run, 1), step(run, 3)}) == Outcomes{WriteOutcome::kWritten, WriteOutcome::kFenced}));
  BOOST_TEST(read(run, 0).events.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_step_whose_answer_was_lost_is_recognised) {
  const Claim run = claim("p");
  write({step(run, 1)});
  BOOST_TEST((write({step(run, 1)}) == Outcomes{WriteOutcome::kAlreadyWritten}));
  Step other = step(run, 1);
  other.event.data["n"] = 99;
  BOOST_TEST((write({other}) == Outcomes{WriteOutcome::kFenced}));
  BOOST_TEST((write({step(run, 2)}) == Outcomes{WriteOutcome::kWritten}));
}

BOOST_AUTO_TEST_CASE(a_writer_whose_lease_is_gone_writes_nothing) {
  const Claim former = claim("p");
  write({step(former, 1)});
  script("UPDATE generation_runs SET lease_expires_at = now() - interval '1 second'");
  const Claim successor = gp::runlog::RunQueue(url(), url(), {"other/0", seconds(30)}).claim(1).front();
  BOOST_TEST(successor.events.size() == 1u);
  BOOST_TEST((write({step(former, 2)}) == Outcomes{WriteOutcome::kFenced}));
  BOOST_TEST((write({step(successor, 2)}) == Outcomes{WriteOutcome::kWritten}));
  BOOST_TEST(read(former, 0).last_id == 2);
}

BOOST_AUTO_TEST_CASE(the_last_event_ends_the_run_and_its_lease) {
  const Claim good = claim("good");
  const Claim bad = claim("bad");
  write({step(good, 1), last_step(good, 2, true), last_step(bad, 1, false)});
  BOOST_TEST((read(good, 0).standing == RunTail::Standing::kEnded));
  BOOST_TEST((read(bad, 0).standing == RunTail::Standing::kEnded));
  BOOST_TEST(value("SELECT state || ' ' || llm_calls || ' ' || completion_tokens || ' ' || (lease_token IS "
                   "NULL) FROM generation_runs "
                   "WHERE project_id = 'good'") == "complete 2 20 true");
  BOOST_TEST(value("SELECT state || ' ' || error_code FROM generation_runs WHERE project_id = 'bad'") ==
             "error timeout");
  BOOST_TEST((write({step(good, 3)}) == Outcomes{WriteOutcome::kFenced}));
}

BOOST_AUTO_TEST_CASE(a_batch_is_written_whole_or_not_at_all) {
  const Claim run = claim("p");
  script("ALTER TABLE projects ADD CONSTRAINT no_two CHECK (spec_json->>'n' IS DISTINCT FROM '2')");
  Step bad = step(run, 2);
  bad.document = R"({"n":2})";
  try {
    write({step(run, 1), bad});
  } catch (const gp::Error&) {
  }
  const auto events = read(run, 0).events.size();
  BOOST_TEST((events == 0u || events == 2u));  // both, where a project that refuses is left out; never one
}

BOOST_AUTO_TEST_CASE(an_unknown_run_and_a_pruned_one_are_told_apart) {
  EventReader reader(url());
  const Cursor unknown{gp::RunId("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"), 0};
  BOOST_TEST((reader.read(std::span(&unknown, 1), 10).front().standing == RunTail::Standing::kUnknown));
  const Claim run = claim("old");
  write({last_step(run, 1, true)});
  script("DELETE FROM generation_events; UPDATE generation_runs SET events_pruned_at = now()");
  BOOST_TEST((read(run, 0).standing == RunTail::Standing::kPruned));
}

BOOST_AUTO_TEST_CASE(a_reader_sees_every_event_in_order_while_several_writers_commit) {
  constexpr int kRuns = 4;
  constexpr std::int64_t kEvents = 100;
  std::vector<Claim> claims;
  for (int i = 0; i < kRuns; ++i) claims.push_back(claim("p" + std::to_string(i)));
  std::atomic<int> done = 0;
  std::vector<std::jthread> writers;
  for (const Claim& run : claims) {
    writers.emplace_back([&, run] {
      EventWriter mine(url());
      Doorbell doorbell(url());
      for (std::int64_t id = 1; id <= kEvents; ++id) {
        const Step next = step(run, id);
        mine.write(std::span(&next, 1));
        doorbell.ring(std::span(&run.lease.run_id, 1));
      }
      ++done;
    });
  }
  EventReader reader(url());
  reader.ensure_listening();
  std::vector<Cursor> cursors;
  for (const Claim& run : claims) cursors.push_back({run.lease.run_id, 0});
  const auto is_behind = [&] {
    return std::ranges::any_of(cursors, [](const Cursor& c) { return c.after < kEvents; });
  };
  for (const auto deadline = gp::steady_now() + seconds(60); is_behind() && gp::steady_now() < deadline;) {
    const auto tails = reader.read(cursors, 7);
    for (std::size_t i = 0; i < tails.size(); ++i) {
      for (const auto& event : tails[i].events) {
        BOOST_REQUIRE(event.id == cursors[i].after + 1);
        cursors[i].after = event.id;
      }
    }
    reader.wait_for_ring(milliseconds(20), -1);
  }
  BOOST_TEST(!is_behind());
}

BOOST_AUTO_TEST_SUITE_END()
