#include "core/runlog/retention.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/runlog/run_intake.h"
#include "core/runlog/run_list.h"
#include "sql.h"
#include "tests/integration/database.h"

using gp::runlog::Retention;
using integration::Migrated;
using std::chrono::hours;
using Kind = gp::runlog::StartOutcome::Kind;

namespace sql = gp::runlog::sql;

namespace {

struct Runs : Migrated {
  /// A run in `state` with two events; one that has ended did so `age_h` hours ago.
  gp::RunId add(const std::string& project, const std::string& state, int age_h) const {
    const auto run = gp::runlog::RunIntake(url()).start(integration::request(project)).run_id;
    const bool has_ended = state == "complete" || state == "error";
    script(
        fmt::format("UPDATE generation_runs SET next_event_id = 3, state = '{}'{}{}{} WHERE run_id = '{}'",
                    state, has_ended ? fmt::format(", finished_at = now() - interval '{} hours'", age_h) : "",
                    state == "error" ? ", error_code = 'internal'" : "",
                    state == "running"
                        ? ", lease_owner = 'o', lease_token = gen_random_uuid(), lease_expires_at = now() - "
                          "interval '1 year', started_at = now() - interval '1 year'"
                        : "",
                    run.str()));
    script(fmt::format(
        "INSERT INTO generation_events (run_id, id, type, data) VALUES ('{0}', 1, 'run_started', '{{}}'), "
        "('{0}', 2, 'plan_completed', '{{}}')",
        run.str()));
    return run;
  }
  /// `count` runs that ended up to `oldest_h` hours ago, evenly spread, the oldest `pruned` of them pruned.
  void add_history(int count, int oldest_h, int pruned) const {
    script(fmt::format(
        "INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email, state, finished_at, "
        "events_pruned_at) SELECT gen_random_uuid(), 'history_' || n, 'chat', '{{}}', '', 'complete', "
        "now() - make_interval(secs => n * {1} * 3600.0 / {0}), CASE WHEN n > {0} - {2} THEN now() END FROM "
        "generate_series(1, {0}) AS n; ANALYZE generation_runs",
        count, oldest_h, pruned));
  }
  /// How PostgreSQL would carry out a statement with these parameters.
  std::string plan_of(const gp::pg::Statement& statement, std::initializer_list<gp::pg::Param> params) const {
    gp::pg::Session session(url(), "test");
    const std::string sql = "EXPLAIN " + std::string(statement.sql);
    const auto rows = session.run({"explain", sql}, params);
    std::string plan;
    for (int row = 0; row < rows.size(); ++row) plan += rows.text(row, "\"QUERY PLAN\"") + "\n";
    return plan;
  }
  std::string events_of(const gp::RunId& run) const {
    return value(fmt::format("SELECT count(*) FROM generation_events WHERE run_id = '{}'", run.str()));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(retention)

BOOST_FIXTURE_TEST_CASE(only_runs_that_ended_long_ago_are_pruned_with_what_people_wrote, Runs) {
  const auto old_complete = add("a", "complete", 50);
  const auto old_error = add("b", "error", 50);
  const auto young = add("c", "complete", 1);
  const auto running = add("d", "running", 0);
  const auto queued = add("e", "queued", 0);
  script("INSERT INTO projects (id, spec_json) VALUES ('a', '{\"kept\": true}')");

  Retention log(url());
  const auto count = log.count(hours(48));
  BOOST_TEST(count.runs == 2);
  BOOST_TEST(count.events == 4);
  const auto pruned = log.prune_some(hours(48), 100);
  BOOST_TEST(pruned.runs.size() == 2u);
  BOOST_TEST(pruned.events == 4);
  for (const auto& run : {old_complete, old_error}) {
    BOOST_TEST(events_of(run) == "0");
    BOOST_TEST(value(fmt::format("SELECT owner_email = '' AND request::text = '{{}}' AND events_pruned_at IS "
                                 "NOT NULL FROM generation_runs WHERE "
                                 "run_id = '{}'",
                                 run.str())) == "true");
  }
  for (const auto& run : {young, running, queued}) BOOST_TEST(events_of(run) == "2");
  BOOST_TEST(value("SELECT spec_json ->> 'kept' FROM projects WHERE id = 'a'") == "true");
  BOOST_TEST(log.prune_some(hours(48), 100).runs.empty());
  BOOST_TEST(log.count(hours(48)).runs == 0);
}

BOOST_FIXTURE_TEST_CASE(a_batch_is_bounded_and_passes_over_runs_that_somebody_holds, Runs) {
  const auto held = add("held", "complete", 50);
  for (const char* project : {"a", "b", "c"}) add(project, "complete", 50);
  gp::pg::Session other(url(), "test");
  other.run_script(
      fmt::format("BEGIN; SELECT 1 FROM generation_runs WHERE run_id = '{}' FOR UPDATE", held.str()));
  Retention log(url());
  BOOST_TEST(log.prune_some(hours(48), 2).runs.size() == 2u);
  BOOST_TEST(log.prune_some(hours(48), 2).runs.size() == 1u);
  BOOST_TEST(log.prune_some(hours(48), 2).runs.empty());
  BOOST_TEST(events_of(held) == "2");
  other.run_script("ROLLBACK");
  BOOST_TEST(log.prune_some(hours(48), 2).runs.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_oldest_are_pruned_first, Runs) {
  const auto young = add("young", "complete", 50);
  const auto old = add("old", "complete", 70);
  Retention log(url());
  BOOST_REQUIRE(log.prune_some(hours(48), 1).runs.size() == 1u);
  BOOST_TEST(events_of(old) == "0");
  BOOST_TEST(events_of(young) == "2");
}

BOOST_FIXTURE_TEST_CASE(a_large_table_is_not_read_through_to_find_the_few_that_are_to_be_pruned, Runs) {
  add_history(100000, 200, 75000);  // most were pruned long ago; a thousand are due
  const std::int64_t retention_s = 48 * 3600;
  for (const std::string& plan :
       {plan_of(sql::kPruneRuns, {retention_s, 100}), plan_of(sql::kCountPrunable, {retention_s})}) {
    BOOST_TEST(plan.find("generation_runs_unpruned") != std::string::npos, plan);
    BOOST_TEST(plan.find("Seq Scan on generation_runs") == std::string::npos, plan);
  }
  script("DROP INDEX generation_runs_unpruned");
  const std::string without = plan_of(sql::kPruneRuns, {retention_s, 100});
  BOOST_TEST(without.find("Seq Scan on generation_runs") != std::string::npos, without);
}

BOOST_FIXTURE_TEST_CASE(what_has_expired_is_told_apart_from_what_was_never_there, Runs) {
  const auto pruned = add("a", "complete", 50);
  const auto kept = add("b", "complete", 1);
  const gp::RunId unknown(gp::make_uuid());
  Retention log(url());
  log.prune_some(hours(48), 100);
  const std::vector<gp::RunId> asked = {pruned, kept, unknown};
  const auto expired = log.find_expired(asked);
  BOOST_REQUIRE(expired.size() == 2u);
  for (const auto& run : expired) {
    BOOST_TEST((run.run_id == pruned || run.run_id == unknown));
    BOOST_TEST(run.is_unknown == (run.run_id == unknown));
  }
}

BOOST_FIXTURE_TEST_CASE(what_would_be_pruned_is_told_as_expired_where_a_retention_is_given, Runs) {
  const auto due = add("a", "complete", 50);
  const std::vector<gp::RunId> asked = {due, add("b", "complete", 1), add("c", "running", 0)};
  Retention log(url());
  BOOST_TEST(log.find_expired(asked).empty());
  const auto expired = log.find_expired(asked, hours(48));
  BOOST_REQUIRE(expired.size() == 1u);
  BOOST_TEST((expired.front().run_id == due));
  BOOST_TEST(!expired.front().is_unknown);
}

BOOST_FIXTURE_TEST_CASE(a_pruned_run_that_ended_in_error_begins_anew_and_a_complete_one_stays_complete,
                        Runs) {
  const auto failed = add("failed", "error", 50);
  const auto complete = add("complete", "complete", 50);
  Retention(url()).prune_some(hours(48), 100);
  gp::runlog::RunIntake intake(url());
  const auto again = intake.start(integration::request("failed"));
  BOOST_TEST((again.kind == Kind::kRestarted));
  BOOST_TEST(!again.request_differs);
  BOOST_TEST((again.run_id != failed));
  BOOST_TEST(
      value(fmt::format("SELECT next_event_id || ' ' || state || ' ' || attempt || ' ' || owner_email FROM "
                        "generation_runs WHERE run_id = '{}'",
                        again.run_id.str())) == "1 queued 2 huda@school.ae");
  BOOST_TEST((intake.start(integration::request("complete")).kind == Kind::kAlready));
  const auto same = intake.start(integration::request("complete"));
  BOOST_TEST((same.run_id == complete));
  BOOST_TEST(!same.request_differs);
}

BOOST_FIXTURE_TEST_CASE(runs_are_listed_newest_first_and_by_state, Runs) {
  const auto first = add("a", "error", 50);
  const auto second = add("b", "complete", 1);
  const auto all = gp::runlog::list_runs(url(), std::nullopt, 10);
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST((all.front().run_id == second));
  BOOST_TEST(all.front().last_event_id == 2);
  BOOST_TEST(all.back().error_code == "internal");
  BOOST_TEST(gp::runlog::list_runs(url(), std::nullopt, 1).size() == 1u);
  BOOST_REQUIRE(gp::runlog::list_runs(url(), "error", 10).size() == 1u);
  BOOST_TEST((gp::runlog::list_runs(url(), "error", 10).front().run_id == first));
}

BOOST_AUTO_TEST_SUITE_END()
