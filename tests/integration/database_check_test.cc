#include "core/runlog/database_check.h"

#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/runlog/log_probe.h"
#include "sql.h"
#include "tests/integration/database.h"
#include "tests/integration/stranger.h"

using integration::Database;
using integration::Migrated;
using integration::Pooled;
using integration::Stranger;
using std::chrono::milliseconds;

namespace {

std::string type_of_id(const gp::runlog::DatabaseFacts& facts) {
  const auto id = std::ranges::find(facts.project_columns, "id", &gp::runlog::ProjectColumn::name);
  return id == facts.project_columns.end() ? "none" : id->type;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(database_check)

BOOST_FIXTURE_TEST_CASE(a_migrated_database_has_all_that_is_needed, Migrated) {
  const auto facts = gp::runlog::inspect_database(url());
  BOOST_TEST(facts.server_version >= 130000);
  BOOST_REQUIRE(facts.schema.has_value());
  BOOST_TEST(facts.schema->version == gp::runlog::known_schema_version());
  BOOST_TEST(facts.encoding == "UTF8");
  BOOST_TEST(facts.missing_rights.empty());
  BOOST_TEST(facts.may_create);
  BOOST_TEST(!facts.is_standby);
  BOOST_TEST(type_of_id(facts) == "text");
  BOOST_TEST((std::chrono::abs(facts.clock_ahead) < milliseconds(2000)));  // one and the same clock
}

BOOST_FIXTURE_TEST_CASE(a_database_without_tables_is_looked_at_all_the_same, Database) {
  const auto facts = gp::runlog::inspect_database(url());
  BOOST_REQUIRE(facts.schema.has_value());
  BOOST_TEST(facts.schema->version == 0);
  BOOST_TEST(facts.project_columns.empty());
}

BOOST_FIXTURE_TEST_CASE(rights_that_the_role_lacks_are_named, Stranger) {
  script("GRANT SELECT ON generation_schema, generation_runs, generation_events, projects TO " + name);
  const auto facts = gp::runlog::inspect_database(their_url());
  BOOST_TEST(facts.role == name);
  BOOST_TEST(std::ranges::count(facts.missing_rights, "INSERT on generation_runs") == 1);
  BOOST_TEST(std::ranges::count(facts.missing_rights, "USAGE on generation_start_order") == 1);
  BOOST_TEST(std::ranges::count(facts.missing_rights, "SELECT on projects") == 0);
  for (const auto& column : facts.project_columns) BOOST_TEST(!column.may_insert, column.name);
  script("GRANT INSERT (id, spec_json) ON projects TO " + name);
  for (const auto& column : gp::runlog::inspect_database(their_url()).project_columns)
    BOOST_TEST(column.may_insert == (column.name != "updated_at"), column.name);
}

BOOST_FIXTURE_TEST_CASE(a_role_that_may_read_nothing_is_told_what_it_lacks, Stranger) {
  const auto facts = gp::runlog::inspect_database(their_url());
  BOOST_TEST(!facts.schema.has_value());
  BOOST_TEST(std::ranges::count(facts.missing_rights, "SELECT on generation_schema") == 1);
}

BOOST_FIXTURE_TEST_CASE(a_column_of_a_domain_is_of_the_type_that_the_domain_is_made_of, Database) {
  script("CREATE DOMAIN project_id AS text CHECK (VALUE <> ''); CREATE TABLE projects (id project_id)");
  BOOST_TEST(type_of_id(gp::runlog::inspect_database(url())) == "text");
}

/// What doctor calls understood: PostgreSQL takes our statements for it.
BOOST_FIXTURE_TEST_CASE(the_types_that_are_understood_take_what_is_written, Migrated) {
  for (const char* columns :
       {"id text, spec_json jsonb, updated_at timestamptz",
        "id varchar(40), spec_json json, updated_at timestamp", "id uuid, spec_json text, updated_at date",
        "id bigint, spec_json varchar, updated_at text",
        "id text, spec_json jsonb, updated_at varchar(40)"}) {
    script(std::string("DROP TABLE projects; CREATE TABLE projects (") + columns + ")");
    gp::pg::Session session(url(), "test");
    for (const auto* statement :
         {&gp::runlog::sql::kInsertProject, &gp::runlog::sql::kWriteProject, &gp::runlog::sql::kAppendSteps,
          &gp::runlog::sql::kReplaceDocument, &gp::runlog::sql::kFindDocument})
      BOOST_CHECK_NO_THROW(session.prepare(*statement));
  }
}

namespace {

/// A database of the private server whose encoding is not ours.
struct Latin1 : Database {
  std::string name = "l_" + gp::make_uuid().substr(0, 8);
  Latin1() {
    script("CREATE DATABASE " + name + " ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
  }
  ~Latin1() { script("DROP DATABASE " + name + " WITH (FORCE)"); }
  Latin1(const Latin1&) = delete;
  Latin1& operator=(const Latin1&) = delete;

  gp::Secret latin1_url() const {
    std::string text = url().reveal();
    const auto at = text.find("///") + 3;
    text.replace(at, text.find('?') - at, name);
    return gp::Secret(text);
  }
};

/// The code points of a text as the server reads it.
std::string points_of(gp::pg::Session& session, const std::string& text) {
  return session.run({"points", "SELECT ascii(left($1, 1))::text || ' of ' || length($1) AS points"}, {text})
      .text(0, "points");
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(texts_are_utf_8_also_where_the_database_is_not, Latin1) {
  BOOST_TEST(gp::runlog::inspect_database(latin1_url()).encoding == "LATIN1");
  gp::pg::Session session(latin1_url(), "test");
  BOOST_TEST(points_of(session, "é") == "233 of 1");
}

BOOST_FIXTURE_TEST_CASE(texts_are_utf_8_through_a_pooler, Pooled) {
  gp::pg::Session session(url(), "test");
  BOOST_REQUIRE(session.is_pooled());
  BOOST_TEST(
      session.run({"encoding", "SELECT current_setting('client_encoding') AS value"}).text(0, "value") ==
      "UTF8");
  BOOST_TEST(points_of(session, "م") == "1605 of 1");
}

BOOST_FIXTURE_TEST_CASE(the_calling_apps_own_table_is_described, Database) {
  script(
      "CREATE TABLE projects (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner_id uuid NOT NULL, "
      "kind text NOT "
      "NULL DEFAULT 'x', spec_json jsonb, updated_at timestamptz)");
  const auto facts = gp::runlog::inspect_database(url());
  BOOST_TEST(type_of_id(facts) == "bigint");
  for (const auto& column : facts.project_columns)
    BOOST_TEST(column.is_required == (column.name == "owner_id"), column.name);
}

BOOST_FIXTURE_TEST_CASE(a_direct_connection_hears_a_notification_and_another_database_does_not, Migrated) {
  using gp::runlog::Listening;
  using gp::runlog::try_to_listen;
  BOOST_TEST((try_to_listen(url(), url(), std::chrono::seconds(10)) == Listening::kHeard));
  const Database other;  // LISTEN succeeds and nothing comes
  BOOST_TEST((try_to_listen(other.url(), url(), milliseconds(300)) == Listening::kNotHeard));
}

BOOST_FIXTURE_TEST_CASE(the_probe_tells_what_health_ready_asks, Migrated) {
  gp::runlog::LogProbe probe(url());
  auto health = probe.look();
  BOOST_TEST(health.is_reachable);
  BOOST_TEST(health.queued == 0);
  script(
      "INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email, queued_at) VALUES "
      "(gen_random_uuid(), 'p', 'c', '{}', 'a@b.c', now() - interval '90 seconds')");
  health = probe.look();
  BOOST_TEST(health.queued == 1);
  BOOST_TEST(health.oldest_queued.count() >= 90);
  end_sessions("generate-project health");
  BOOST_TEST(probe.look().is_reachable);  // on a new session
  BOOST_TEST(!gp::runlog::LogProbe(gp::Secret("postgresql:///x?host=/nonexistent")).look().is_reachable);
}

BOOST_FIXTURE_TEST_CASE(the_probe_leaves_no_setting_to_the_next_client_of_a_pooler, Pooled) {
  gp::runlog::LogProbe probe(url());
  BOOST_TEST(probe.look().is_reachable);
  gp::pg::Session next(url(), "test");
  BOOST_REQUIRE(next.is_pooled());
  const auto rows = next.run({"timeout", "SELECT current_setting('statement_timeout') AS value"});
  BOOST_TEST(rows.text(0, "value") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
