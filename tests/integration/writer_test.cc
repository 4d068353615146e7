#include <algorithm>
#include <atomic>
#include <random>
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
using integration::LockedRow;
using integration::Migrated;
using integration::Pooled;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Claim claim_from(const gp::Secret& url, const std::string& project_id, const std::string& chat_id = "chat") {
  gp::runlog::RunIntake(url).start(request(project_id, chat_id));
  auto claims = gp::runlog::RunQueue(url, url, {"host/0", seconds(30)}).claim(10);
  BOOST_REQUIRE(claims.size() == 1u);
  return claims.front();
}

struct Fixture : Migrated {
  EventWriter writer{url()};

  Claim claim(const std::string& project_id, const std::string& chat_id = "chat") const {
    return claim_from(url(), project_id, chat_id);
  }

  /// Runs p0, p1 ... taken at once.
  std::vector<Claim> claims(int count) const {
    gp::runlog::RunIntake intake(url());
    for (int i = 0; i < count; ++i) intake.start(request("p" + std::to_string(i)));
    return gp::runlog::RunQueue(url(), url(), {"host/0", seconds(30)}).claim(count);
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
  static Step with_document(Step step, const std::string& document) {
    step.document = document;
    return step;
  }
  std::string document(const std::string& project_id) const {
    return value("SELECT spec_json FROM projects WHERE id = '" + project_id + "'");
  }
  RunTail read(const Claim& claim, std::int64_t after, int limit = 100) const {
    EventReader reader(url());
    const Cursor cursor{claim.lease.run_id, after};
    return reader.read(std::span(&cursor, 1), limit).front();
  }
};

using Outcomes = std::vector<WriteOutcome>;

/// Our tables behind a pooler: in the one database that it knows, for one case.
struct PooledTables : Pooled {
  gp::Secret direct{integration::server_url()};

  PooledTables() {
    clear();  // a case that was killed has left them
    gp::runlog::migrate(direct);
  }
  ~PooledTables() { clear(); }
  PooledTables(const PooledTables&) = delete;
  PooledTables& operator=(const PooledTables&) = delete;

 private:
  void clear() const {
    gp::pg::Session(direct, "test")
        .run_script(
            "DROP TABLE IF EXISTS generation_events, generation_runs, generation_schema, projects CASCADE; "
            "DROP SEQUENCE IF EXISTS generation_start_order");
  }
};

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

BOOST_AUTO_TEST_CASE(good_fenced_and_known_runs_of_one_batch_are_told_apart) {
  const Claim good = claim("good");
  const Claim fenced = claim("fenced");
  const Claim known = claim("known");
  const Claim half = claim("half");
  write({step(known, 1), step(known, 2), step(half, 1)});
  script("UPDATE generation_runs SET lease_token = gen_random_uuid() WHERE project_id = 'fenced'");
  const auto outcomes = write({step(fenced, 1), with_document(step(good, 1), R"({"n": 1})"), step(known, 1),
                               step(half, 1), step(known, 2), with_document(step(half, 2), R"({"n": 2})"),
                               step(fenced, 2), with_document(step(good, 2), R"({"n": 2})")});
  using enum WriteOutcome;
  BOOST_TEST((outcomes == Outcomes{kFenced, kWritten, kAlreadyWritten, kAlreadyWritten, kAlreadyWritten,
                                   kWritten, kFenced, kWritten}));
  BOOST_TEST(read(fenced, 0).events.empty());
  BOOST_TEST(read(half, 0).last_id == 2);
  BOOST_TEST(document("good") == R"({"n": 2})");
  BOOST_TEST(document("half") == R"({"n": 2})");
}

BOOST_AUTO_TEST_CASE(what_follows_a_gap_is_refused_and_the_document_is_that_of_the_last_event_before_it) {
  const Claim run = claim("p");
  const Claim other = claim("other");
  const auto outcomes =
      write({with_document(step(run, 1), R"({"n": 1})"), step(other, 1),
             with_document(step(run, 3), R"({"n": 3})"), with_document(step(run, 4), R"({"n": 4})")});
  using enum WriteOutcome;
  BOOST_TEST((outcomes == Outcomes{kWritten, kWritten, kFenced, kFenced}));
  BOOST_TEST(document("p") == R"({"n": 1})");
  BOOST_TEST(read(run, 0).last_id == 1);
}

BOOST_AUTO_TEST_CASE(what_follows_an_end_is_refused_and_the_end_stays) {
  const Claim run = claim("p");
  const auto outcomes = write({step(run, 1), last_step(run, 2, true), step(run, 3)});
  using enum WriteOutcome;
  BOOST_TEST((outcomes == Outcomes{kWritten, kWritten, kFenced}));
  BOOST_TEST((read(run, 0).standing == RunTail::Standing::kEnded));
  BOOST_TEST(read(run, 0).last_id == 2);
}

BOOST_AUTO_TEST_CASE(an_end_that_is_sent_again_adds_no_cost) {
  const Claim run = claim("p");
  const std::vector<Step> steps{step(run, 1), last_step(run, 2, true)};
  write(steps);
  BOOST_TEST((write(steps) == Outcomes(2, WriteOutcome::kAlreadyWritten)));
  BOOST_TEST(value("SELECT llm_calls FROM generation_runs") == "2");
}

BOOST_AUTO_TEST_CASE(sums_grow_with_each_attempt_and_are_not_known_once_a_part_is_not) {
  const auto sums = [&] {
    return value(
        "SELECT coalesce(completion_tokens::text, '-') || ' ' || coalesce(cost_usd::text, '-') "
        "FROM generation_runs");
  };
  write({last_step(claim("p"), 1, false)});
  BOOST_TEST(sums() == "20 0.500000");
  write({last_step(claim("p"), 2, false)});
  BOOST_TEST(sums() == "40 1.000000");
  Step unknown = last_step(claim("p"), 3, false);
  unknown.end->usage = {};
  unknown.end->cost_usd = std::nullopt;
  write({unknown});
  BOOST_TEST(sums() == "- -");
  write({last_step(claim("p"), 4, false)});
  BOOST_TEST(sums() == "- -");
}

BOOST_AUTO_TEST_CASE(an_end_with_a_wrong_number_ends_nothing) {
  const Claim run = claim("p");
  BOOST_TEST((write({last_step(run, 2, true)}) == Outcomes{WriteOutcome::kFenced}));
  BOOST_TEST(value("SELECT state FROM generation_runs") == "running");
}

BOOST_AUTO_TEST_CASE(of_two_runs_of_one_project_in_a_batch_the_later_one_writes_the_document) {
  const Claim older = claim("p", "first");
  const Claim later = claim("p", "second");
  for (const bool older_first : {true, false}) {
    const std::int64_t id = older_first ? 1 : 2;
    std::vector<Step> steps{with_document(step(older, id), R"({"by": "older"})"),
                            with_document(step(later, id), R"({"by": "later"})")};
    if (!older_first) std::swap(steps[0], steps[1]);
    BOOST_TEST((write(steps) == Outcomes(2, WriteOutcome::kWritten)));
    BOOST_TEST(document("p") == R"({"by": "later"})");
  }
}

BOOST_AUTO_TEST_CASE(a_table_that_refuses_one_of_five_documents_loses_that_document_only) {
  script("ALTER TABLE projects ADD CONSTRAINT not_c CHECK (id <> 'c' OR spec_json->>'n' IS NULL)");
  std::vector<Step> steps;
  for (const char* project : {"a", "b", "c", "d", "e"})
    steps.push_back(with_document(step(claim(project), 1), R"({"n": 1})"));
  const Claim ending = claim("ending");
  steps.push_back(last_step(ending, 1, true));
  BOOST_TEST((write(steps) == Outcomes(6, WriteOutcome::kWritten)));
  BOOST_TEST(value("SELECT count(*) FROM generation_events") == "6");
  BOOST_TEST(value("SELECT string_agg(id, '' ORDER BY id) FROM projects WHERE spec_json->>'n' = '1'") ==
             "abde");
  BOOST_TEST((read(ending, 0).standing == RunTail::Standing::kEnded));
}

BOOST_AUTO_TEST_CASE(a_project_that_somebody_has_locked_keeps_its_own_run_waiting_and_no_other) {
  const Claim locked = claim("locked");
  const Claim ending = claim("ending");
  const Claim good = claim("good");
  const std::vector<Step> steps{with_document(step(locked, 1), R"({"n": 1})"), last_step(ending, 1, true),
                                with_document(step(locked, 2), R"({"n": 2})"), step(good, 1)};
  using enum WriteOutcome;
  {
    const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'locked'");
    const auto begun = gp::steady_now();
    BOOST_TEST((writer.write_around_locks(steps) == Outcomes{kLocked, kWritten, kLocked, kWritten}));
    BOOST_TEST((gp::steady_now() - begun < seconds(10)));
    BOOST_TEST(read(locked, 0).events.empty());  // no event without its document
    BOOST_TEST((read(ending, 0).standing == RunTail::Standing::kEnded));
    // It is known to be locked by now: the others do not wait for it again.
    BOOST_TEST((writer.write_around_locks(std::vector<Step>{step(good, 2), steps[0]}) ==
                Outcomes{kWritten, kLocked}));
    BOOST_CHECK_EXCEPTION(write({steps[0]}), gp::Error,
                          [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
  }
  BOOST_TEST(
      (writer.write_around_locks(steps) == Outcomes{kWritten, kAlreadyWritten, kWritten, kAlreadyWritten}));
  BOOST_TEST(document("locked") == R"({"n": 2})");
}

BOOST_AUTO_TEST_CASE(an_end_that_waits_for_a_locked_project_waits_as_a_whole) {
  const Claim run = claim("p");
  {
    const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'p'");
    BOOST_TEST((writer.write_around_locks(std::vector<Step>{last_step(run, 1, true)}) ==
                Outcomes{WriteOutcome::kLocked}));
    BOOST_TEST(value("SELECT state FROM generation_runs") == "running");
  }
  BOOST_TEST((write({last_step(run, 1, true)}) == Outcomes{WriteOutcome::kWritten}));
}

BOOST_FIXTURE_TEST_CASE(through_a_pooler_nothing_waits_long_for_a_locked_project_either, PooledTables) {
  const Claim locked = claim_from(url(), "locked");
  const Claim good = claim_from(url(), "good");
  const std::vector<Step> steps{Fixture::step(locked, 1), Fixture::step(good, 1)};
  EventWriter writer(url());
  using enum WriteOutcome;
  {
    const LockedRow lock(direct, "SELECT 1 FROM projects WHERE id = 'locked'");
    const auto begun = gp::steady_now();
    BOOST_TEST((writer.write_around_locks(steps) == Outcomes{kLocked, kWritten}));
    BOOST_TEST((gp::steady_now() - begun < seconds(10)));
  }
  BOOST_TEST((writer.write_around_locks(steps) == Outcomes{kWritten, kAlreadyWritten}));
  gp::pg::Session next(url(), "test");
  BOOST_REQUIRE(next.is_pooled());
  BOOST_TEST(next.run({"timeout", "SELECT current_setting('lock_timeout') AS value"}).text(0, "value") ==
             "0");
}

BOOST_AUTO_TEST_CASE(steps_that_can_never_be_written_stop_no_other_run) {
  const Claim bad = claim("bad");
  const Claim good = claim("good");
  const Step unwritable = step(bad, 2);
  script("ALTER TABLE generation_events ADD CONSTRAINT small CHECK (run_id <> '" + bad.lease.run_id.str() +
         "' OR id < 2)");
  using enum WriteOutcome;
  BOOST_TEST((writer.write_around_locks(std::vector<Step>{step(bad, 1), step(good, 1), unwritable}) ==
              Outcomes{kRefused, kWritten, kRefused}));
  BOOST_TEST(read(bad, 0).events.empty());
  BOOST_CHECK_THROW(write({step(bad, 1), unwritable}), gp::Error);
}

BOOST_AUTO_TEST_CASE(what_may_be_mended_from_outside_is_not_refused_for_good) {
  const Claim run = claim("p");
  script("ALTER TABLE generation_events RENAME TO elsewhere");
  BOOST_CHECK_THROW(writer.write_around_locks(std::vector<Step>{step(run, 1)}), gp::Error);
  script("ALTER TABLE elsewhere RENAME TO generation_events");
  BOOST_TEST((write({step(run, 1)}) == Outcomes{WriteOutcome::kWritten}));
}

BOOST_AUTO_TEST_CASE(a_cost_beyond_all_bounds_ends_the_run_all_the_same) {
  const Claim run = claim("p");
  Step last = last_step(run, 1, true);
  last.end->cost_usd = 1e12;
  BOOST_TEST((write({last}) == Outcomes{WriteOutcome::kWritten}));
  BOOST_TEST(value("SELECT cost_usd FROM generation_runs") == "99999.000000");
}

BOOST_AUTO_TEST_CASE(a_step_under_a_former_lease_does_not_take_those_under_the_valid_one_with_it) {
  const Claim run = claim("p");
  Step former = step(run, 1);
  former.token = gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666");
  former.event.data["text"] = "other";
  Step former_too = former;
  former_too.event.id = 2;
  using enum WriteOutcome;
  BOOST_TEST((write({former, step(run, 1), former_too, with_document(step(run, 2), R"({"n": 2})")}) ==
              Outcomes{kFenced, kWritten, kFenced, kWritten}));
  BOOST_TEST(document("p") == R"({"n": 2})");
}

BOOST_AUTO_TEST_CASE(a_document_that_is_refused_at_the_commit_holds_up_neither_its_events_nor_other_runs) {
  const Claim bad = claim("bad");
  const Claim good = claim("good");
  script(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN IF NEW.id = 'bad' THEN RAISE 'no'; END IF; RETURN NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON projects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION refuse()");
  using enum WriteOutcome;
  BOOST_TEST((write({with_document(step(bad, 1), R"({"n": 1})"),
                     with_document(step(good, 1), R"({"n": 1})")}) == Outcomes{kWritten, kWritten}));
  BOOST_TEST(document("bad") != R"({"n": 1})");
  BOOST_TEST(document("good") == R"({"n": 1})");
}

BOOST_AUTO_TEST_CASE(a_batch_that_fails_at_its_commit_is_not_written_and_the_next_one_is) {
  const Claim run = claim("p");
  script(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
      "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON generation_events DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION refuse()");
  BOOST_CHECK_THROW(write({step(run, 1)}), gp::Error);
  BOOST_TEST(read(run, 0).events.empty());
  script("DROP TRIGGER late ON generation_events");
  BOOST_TEST((write({step(run, 1)}) == Outcomes{WriteOutcome::kWritten}));
}

BOOST_AUTO_TEST_CASE(a_writer_whose_connection_breaks_writes_with_the_next_one) {
  const Claim run = claim("p");
  write({step(run, 1)});
  end_sessions("generate-project shipper");
  BOOST_CHECK_EXCEPTION(write({step(run, 2)}), gp::Error, [](const gp::Error& error) {
    return error.kind() == gp::ErrorKind::kInDoubt || error.kind() == gp::ErrorKind::kUnavailable;
  });
  BOOST_TEST((write({step(run, 2)}) == Outcomes{WriteOutcome::kWritten}));
}

BOOST_AUTO_TEST_CASE(two_hundred_steps_of_fifty_runs_are_one_batch) {
  const auto runs = claims(50);
  std::vector<Step> steps;
  for (std::int64_t id = 1; id <= 4; ++id) {
    for (const Claim& run : runs)
      steps.push_back(with_document(step(run, id), R"({"n": )" + std::to_string(id) + "}"));
  }
  BOOST_TEST((write(steps) == Outcomes(200, WriteOutcome::kWritten)));
  BOOST_TEST(value("SELECT count(DISTINCT xmin::text) FROM generation_events") == "1");  // one transaction
  BOOST_TEST(value("SELECT count(*) FROM projects WHERE spec_json->>'n' = '4'") == "50");
  BOOST_TEST((write(steps) == Outcomes(200, WriteOutcome::kAlreadyWritten)));
}

BOOST_AUTO_TEST_CASE(a_batch_too_large_for_any_buffer_is_written) {
  const Claim run = claim("p");
  std::vector<Step> steps;
  for (std::int64_t id = 1; id <= 400; ++id) {
    steps.push_back(step(run, id));
    steps.back().event.data["text"] = std::string(50000, 'x');
  }
  BOOST_TEST((write(steps) == Outcomes(400, WriteOutcome::kWritten)));
}

BOOST_AUTO_TEST_CASE(writers_and_a_beat_over_the_same_runs_never_wait_for_each_other_in_a_ring) {
  constexpr std::int64_t kRounds = 40;
  std::vector<Claim> claims;
  for (int i = 0; i < 8; ++i) claims.push_back(claim("p" + std::to_string(i / 2), std::to_string(i)));
  std::atomic<int> failures = 0;  // a deadlock is an Error
  std::atomic<int> written = 0;
  const auto write_all = [&](unsigned seed) {
    std::minstd_rand random(seed);
    EventWriter mine(url());
    for (std::int64_t id = 1; id <= kRounds; ++id) {
      std::vector<Step> steps;
      for (const Claim& run : claims) steps.push_back(step(run, id));
      std::ranges::shuffle(steps, random);
      for (const auto outcome : mine.write(steps)) {
        if (outcome == WriteOutcome::kWritten) ++written;
        if (outcome == WriteOutcome::kFenced) ++failures;
      }
    }
  };
  const auto beat = [&](unsigned seed) {
    std::minstd_rand random(seed);
    gp::runlog::RunQueue queue(url(), url(), {"host/0", seconds(30)});
    std::vector<gp::runlog::Lease> held;
    for (const Claim& run : claims) held.push_back(run.lease);
    for (int round = 0; round < 200; ++round) {
      std::ranges::shuffle(held, random);
      if (!queue.renew(held).lost.empty()) ++failures;
    }
  };
  const auto counting_failures = [&](const auto& work, unsigned seed) {
    try {
      work(seed);
    } catch (const gp::Error& error) {
      BOOST_TEST_MESSAGE(error.what());
      ++failures;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed)
      threads.emplace_back([&, seed] { counting_failures(write_all, seed); });
    threads.emplace_back([&] { counting_failures(beat, 5); });
  }
  BOOST_TEST(failures == 0);
  BOOST_TEST(written == 8 * kRounds);
  BOOST_TEST(value("SELECT count(*) FROM generation_events") == std::to_string(8 * kRounds));
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

BOOST_AUTO_TEST_CASE(a_writer_rests_in_proportion_and_never_long_and_not_after_a_step_alone) {
  BOOST_TEST((gp::runlog::rest_after(1, milliseconds(1)) == milliseconds(0)));
  BOOST_TEST((gp::runlog::rest_after(2, milliseconds(1)) == milliseconds(1)));
  BOOST_TEST((gp::runlog::rest_after(64, seconds(10)) == milliseconds(2)));
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

BOOST_AUTO_TEST_CASE(a_log_that_has_lost_events_is_told_from_a_lease_that_is_lost) {
  const Claim mine = claim("behind");
  const std::vector<Step> steps = {step(mine, 1, EventType::kRunStarted), step(mine, 2), step(mine, 3)};
  writer.write(steps);
  BOOST_TEST(!writer.find_last_id_if_behind(step(mine, 4)).has_value());
  // What a failover to a standby leaves that has got the first event only.
  script("DELETE FROM generation_events WHERE id > 1; UPDATE generation_runs SET next_event_id = 2");
  const Step next = step(mine, 4);
  BOOST_TEST((writer.write(std::span(&next, 1)).front() == WriteOutcome::kFenced));
  BOOST_TEST(writer.find_last_id_if_behind(next).value_or(-1) == 1);
  const std::vector<Step> again = {steps[1], steps[2], next};
  for (const WriteOutcome outcome : writer.write(again)) BOOST_TEST((outcome == WriteOutcome::kWritten));
  script("UPDATE generation_runs SET lease_token = gen_random_uuid(), next_event_id = 2");
  BOOST_TEST(!writer.find_last_id_if_behind(next).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
