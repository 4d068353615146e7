// The service behind a transaction-mode pooler: DATABASE_URL goes through pgbouncer with three sessions of
// the server's, DATABASE_LISTEN_URL is direct.

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/pg/session.h"
#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using support::EventStream;
using support::start_body;

namespace {

/// PostgreSQL and the pooler, up before the stack and down after it.
class PooledDatabase {
 public:
  PooledDatabase() {
    control("start");
    control("pooler-start");
    OnStack::settings = {{"DATABASE_URL", control("pooler-address")},
                         {"DATABASE_LISTEN_URL", control("address")},
                         {"RUNS_MAX_PER_OWNER", "0"},
                         {"LEASE_BEAT_S", "1"}};
  }
  ~PooledDatabase() {
    control("pooler-stop");
    control("stop");
  }
  PooledDatabase(const PooledDatabase&) = delete;
  PooledDatabase& operator=(const PooledDatabase&) = delete;

  std::string control(const std::string& verb) const {
    std::string output = support::run_or_throw(
        fmt::format("{}/tests/support/private-postgres {}/postgres {}", GP_SOURCE_DIR, folder_.path(), verb));
    while (output.ends_with('\n')) output.pop_back();
    return output;
  }

 private:
  support::TempFolder folder_;
};

/// The stack of this binary, on its database: members are made in this order.
struct PooledStack {
  static inline const PooledDatabase* in_use = nullptr;
  PooledDatabase database;
  OnStack on_stack;

  PooledStack() { in_use = &database; }
};

const PooledDatabase& database() { return *PooledStack::in_use; }

/// A run from its start to its end; its events agree with its document.
void complete(const std::string& name) {
  const Json body = start_body(name);
  const std::string run_id = stack().start(body);
  const auto events = stack().follow(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
}

/// What doctor says of the database, with LISTEN over the connection `listen_url`.
support::Outcome examine(const std::string& listen_url) {
  return support::run(std::string(GP_BUILD_DIR) +
                          "/handlers/generate-project doctor --skip nginx llm spool "
                          "log_folder clock",
                      {{"DATABASE_URL", database().control("pooler-address")},
                       {"DATABASE_LISTEN_URL", listen_url},
                       {"OPENAI_API_KEY", "sk-test"},
                       {"GP_ETC_DIR", "/nonexistent"}});
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(PooledStack);

BOOST_AUTO_TEST_SUITE(pooler)

BOOST_AUTO_TEST_CASE(twenty_runs_at_once_are_complete_and_consistent) {
  std::vector<Json> bodies;
  std::vector<std::string> runs;
  for (int i = 0; i < 20; ++i) {
    bodies.push_back(start_body(fmt::format("pooled_{}", i)));
    runs.push_back(stack().start(bodies.back()));
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto events = stack().follow(runs[i]);
    e2e::check_consistent(bodies[i], runs[i], events);
    BOOST_TEST(events.back().name == "run_completed");
    BOOST_TEST(stack().calls(bodies[i].at("project_id").get<std::string>() + "\"").size() <= 1u);
  }
}

BOOST_AUTO_TEST_CASE(repeats_commands_and_descriptions_work) {
  const Json body = start_body("pooled_commands");
  stack().set_rate("pooled_commands", 20);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), "/events/stream?run_id=" + run_id);
  BOOST_TEST(stream.next().value().name == "run_started");
  BOOST_TEST(stack().post_start(body).status == 200);
  BOOST_TEST(stack().get("/runs/" + run_id).json().at("state") == "running");
  BOOST_TEST(stack().cancel(run_id).status == 202);
  const auto rest = stream.rest();
  BOOST_REQUIRE(!rest.empty());
  BOOST_TEST(rest.back().data.at("code") == "cancelled");
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_pooler_in_the_middle_of_a_run_costs_nothing) {
  const Json body = start_body("pooled_restart");
  stack().set_rate("pooled_restart", 400);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), "/events/stream?run_id=" + run_id);
  std::vector<support::StreamEvent> events = {stream.next().value(), stream.next().value()};
  database().control("pooler-stop");
  database().control("pooler-start");
  for (auto& event : stream.rest()) events.push_back(std::move(event));
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  BOOST_TEST(stack().calls("pooled_restart").size() == 1u);
}

BOOST_AUTO_TEST_CASE(
    doctor_says_that_listen_does_not_work_through_the_pooler_and_is_content_with_a_direct_one) {
  const auto pooled = examine(database().control("pooler-address"));
  BOOST_TEST(pooled.exit_code == 1);
  BOOST_TEST(pooled.output.find("LISTEN does not work through a transaction pooler") != std::string::npos,
             pooled.output);
  BOOST_TEST(pooled.output.find("set DATABASE_LISTEN_URL to a direct connection") != std::string::npos,
             pooled.output);
  const auto direct = examine(database().control("address"));
  BOOST_TEST(direct.exit_code == 0, direct.output);
  BOOST_TEST(direct.output.find("notifications arrive") != std::string::npos, direct.output);
}

BOOST_AUTO_TEST_CASE(another_run_is_well_after_all_that) { complete("pooled_last"); }

BOOST_AUTO_TEST_CASE(the_sessions_of_the_service_share_three_of_the_servers) {
  gp::pg::Session direct(gp::Secret(database().control("address")), "test");
  const auto rows =
      direct.run({"count",
                  "SELECT count(*) AS count FROM pg_stat_activity WHERE backend_type = 'client backend' AND "
                  "application_name LIKE 'generate-project%' AND application_name NOT LIKE '%listen%'"});
  BOOST_TEST(rows.number(0, "count") <= 3 + 1);  // and the events process's direct reader
}

// Retries would hide it: a name that another session's process knows, or does not.
BOOST_AUTO_TEST_CASE(nobody_has_stumbled_over_a_prepared_statement) {
  for (const char* process : {"start", "status", "events", "worker"}) {
    const std::string log = stack().log_of(process);
    BOOST_TEST(log.find("prepared statement") == std::string::npos, process << ": " << log);
  }
}

BOOST_AUTO_TEST_SUITE_END()
