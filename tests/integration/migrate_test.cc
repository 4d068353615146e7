#include "core/runlog/migrate.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/schema.h"
#include "sql.h"
#include "tests/integration/database.h"
#include "tests/integration/stranger.h"

using gp::runlog::Schema;
using integration::Database;
using integration::Migrated;
using integration::Stranger;

namespace {

struct SchemaOf : Database {
  Schema schema() const {
    gp::pg::Session session(url(), "test");
    return gp::runlog::read_schema(session);
  }
};

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(migrate)

BOOST_FIXTURE_TEST_CASE(the_tables_are_made_once_and_running_again_does_nothing, SchemaOf) {
  BOOST_TEST(schema().version == 0);
  BOOST_TEST(!gp::runlog::migrate(url()).empty());
  BOOST_TEST(schema().version == gp::runlog::known_schema_version());
  BOOST_TEST(gp::runlog::migrate(url()).empty());
}

BOOST_FIXTURE_TEST_CASE(each_migration_is_told_once_it_stays_also_where_a_later_one_fails, Database) {
  script("CREATE VIEW generation_runs_unpruned AS SELECT 1");  // the name of what the third one makes
  std::vector<std::string> told;
  BOOST_CHECK_THROW(
      gp::runlog::migrate(url(), [&](const std::string& migration) { told.push_back(migration); }),
      gp::Error);
  BOOST_TEST(told.size() == 2u);
  BOOST_TEST(value("SELECT count(*) FROM generation_schema") == "2");
}

BOOST_FIXTURE_TEST_CASE(running_again_takes_no_right_to_create_tables, Stranger) {
  script("GRANT SELECT ON generation_schema TO " + name);
  BOOST_TEST(gp::runlog::migrate(their_url()).empty());
}

BOOST_FIXTURE_TEST_CASE(several_hosts_may_migrate_at_once, Database) {
  std::vector<std::vector<std::string>> applied(8);
  {
    std::vector<std::jthread> hosts;
    for (auto& each : applied) hosts.emplace_back([&] { each = gp::runlog::migrate(url()); });
  }
  std::size_t total = 0;
  for (const auto& each : applied) total += each.size();
  BOOST_TEST(total == static_cast<std::size_t>(gp::runlog::known_schema_version()));
}

BOOST_FIXTURE_TEST_CASE(a_newer_database_that_still_takes_this_program_needs_nothing, SchemaOf) {
  gp::runlog::migrate(url());
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (1000, 'adds a column', 1)");
  BOOST_TEST(gp::runlog::pending_migrations(url()).empty());
  BOOST_TEST(gp::runlog::migrate(url()).empty());
  BOOST_TEST(gp::runlog::schema_version(url()) == 1000);
}

BOOST_FIXTURE_TEST_CASE(a_newer_database_that_does_not_take_this_program_is_refused, Migrated) {
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (1000, 'drops it', 1000)");
  const auto is_refusal = [](const gp::Error& error) {
    return error.kind() == gp::ErrorKind::kSchema &&
           std::string_view(error.what()).find("install the newer version") != std::string_view::npos;
  };
  BOOST_CHECK_EXCEPTION(gp::runlog::migrate(url()), gp::Error, is_refusal);
  BOOST_CHECK_EXCEPTION(gp::runlog::pending_migrations(url()), gp::Error, is_refusal);
}

BOOST_FIXTURE_TEST_CASE(what_would_be_applied_is_told_and_nothing_is_done, SchemaOf) {
  const auto pending = gp::runlog::pending_migrations(url());
  BOOST_REQUIRE(!pending.empty());
  BOOST_TEST(pending.front().name == "0001_create_runs_and_events");
  BOOST_TEST(pending.front().summary.starts_with("The run log"));
  BOOST_TEST(schema().version == 0);
  BOOST_TEST(value("to_regclass('generation_schema')") == "null");
  gp::runlog::migrate(url());
  BOOST_TEST(gp::runlog::pending_migrations(url()).empty());
}

BOOST_FIXTURE_TEST_CASE(programs_of_the_versions_before_work_with_the_tables_of_now, SchemaOf) {
  gp::runlog::migrate(url());
  for (int known = 1; known <= gp::runlog::known_schema_version(); ++known)
    BOOST_TEST(gp::runlog::schema_mismatch(schema(), known) == "", known);
}

BOOST_FIXTURE_TEST_CASE(a_migration_that_only_adds_leaves_older_programs_at_work, SchemaOf) {
  gp::runlog::migrate(url());
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (1000, 'adds a column', 1)");
  BOOST_TEST(gp::runlog::schema_mismatch(schema()) == "");
  BOOST_CHECK_NO_THROW(gp::runlog::ProjectDocuments(url()).find({gp::ProjectId("p"), ""}));
}

BOOST_FIXTURE_TEST_CASE(a_migration_that_takes_something_away_ends_programs_that_need_it, SchemaOf) {
  gp::runlog::migrate(url());
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (1000, 'drops it', 1000)");
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (1001, 'adds again', 1000)");
  BOOST_TEST(gp::runlog::schema_mismatch(schema()).find("install the newer version") != std::string::npos);
  BOOST_TEST(gp::runlog::schema_mismatch(schema(), 1001) == "");
  BOOST_CHECK_EXCEPTION(gp::runlog::ProjectDocuments(url()).find({gp::ProjectId("p"), ""}), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kSchema; });
}

BOOST_FIXTURE_TEST_CASE(a_database_without_tables_is_older_and_the_message_says_what_to_do, SchemaOf) {
  BOOST_TEST(gp::runlog::schema_mismatch(schema()).find("generate-project migrate") != std::string::npos);
  BOOST_CHECK_EXCEPTION(gp::runlog::ProjectDocuments(url()).find({gp::ProjectId("p"), ""}), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kSchema; });
}

BOOST_FIXTURE_TEST_CASE(an_early_database_that_does_not_say_who_fits_is_understood_and_completed, SchemaOf) {
  gp::runlog::migrate(url());
  script("ALTER TABLE generation_schema DROP COLUMN compatible_from");
  BOOST_TEST(schema().version == gp::runlog::known_schema_version());
  BOOST_TEST(schema().compatible_from == 1);
  gp::runlog::migrate(url());
  BOOST_TEST(value("SELECT max(compatible_from) FROM generation_schema") != "null");
}

BOOST_FIXTURE_TEST_CASE(migrating_again_waits_for_nobody_who_reads_or_writes_the_schemas_table, Migrated) {
  gp::pg::Session reader(url(), "reader");
  reader.run_script("BEGIN; LOCK TABLE generation_schema IN ROW EXCLUSIVE MODE");
  std::vector<std::string> applied{"none yet"};
  const auto begun = gp::steady_now();
  BOOST_CHECK_NO_THROW(applied = gp::runlog::migrate(url()));
  BOOST_TEST(applied.empty());
  BOOST_TEST((gp::steady_now() - begun < std::chrono::seconds(1)));
}

BOOST_FIXTURE_TEST_CASE(a_migration_tries_a_few_times_for_a_table_that_somebody_holds_and_says_so, SchemaOf) {
  gp::runlog::migrate(url());
  script("ALTER TABLE generation_schema DROP COLUMN compatible_from");
  gp::pg::Session reader(url(), "reader");
  reader.run_script("BEGIN; LOCK TABLE generation_schema IN ACCESS SHARE MODE");
  BOOST_CHECK_EXCEPTION(gp::runlog::migrate(url()), gp::Error, [](const gp::Error& error) {
    return error.kind() == gp::ErrorKind::kUnavailable &&
           std::string_view(error.what()).find("pg_stat_activity") != std::string_view::npos;
  });
  const std::jthread releasing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2200));
    reader.run_script("COMMIT");
  });
  BOOST_CHECK_NO_THROW(gp::runlog::migrate(url()));
  BOOST_TEST(value("SELECT max(compatible_from) FROM generation_schema") != "null");
}

/// A wrong number here would turn old programs away for nothing, or let them break.
BOOST_AUTO_TEST_CASE(a_migration_says_compatible_from_as_a_version_up_to_its_own) {
  const std::filesystem::path folder = std::filesystem::path(GP_SOURCE_DIR) / "core/runlog/migrations";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    const std::string text = read(entry.path());
    const int version = std::stoi(entry.path().filename().string().substr(0, 4));
    BOOST_TEST(text.starts_with("-- "), entry.path().string());
    const auto at = text.find("compatible-from");
    if (at == std::string::npos) continue;
    BOOST_REQUIRE(at >= 3);
    BOOST_TEST(text.substr(at - 3, 3) == "-- ");
    const int from = std::stoi(text.substr(text.find(':', at) + 1));
    BOOST_TEST((from >= 1 && from <= version), entry.path().string());
  }
  BOOST_TEST(files == gp::runlog::known_schema_version());
}

BOOST_FIXTURE_TEST_CASE(a_projects_table_that_exists_is_left_as_it_is, Database) {
  script(
      "CREATE TABLE projects (id bigint PRIMARY KEY, name text NOT NULL, spec_json jsonb, updated_at "
      "timestamptz)");
  gp::runlog::migrate(url());
  BOOST_TEST(value("SELECT count(*) FROM information_schema.columns WHERE table_name = 'projects'") == "4");
}

BOOST_FIXTURE_TEST_CASE(every_embedded_statement_can_be_prepared, Migrated) {
  gp::pg::Session session(url(), "test");
  BOOST_TEST(gp::runlog::sql::all().size() > 20u);
  for (const gp::pg::Statement* statement : gp::runlog::sql::all()) {
    BOOST_CHECK_NO_THROW(session.prepare(*statement));
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_away_is_said_to_be_unavailable) {
  BOOST_CHECK_EXCEPTION(gp::runlog::migrate(gp::Secret("postgresql:///x?host=/nonexistent&password=hunter2")),
                        gp::Error, [](const gp::Error& error) {
                          return error.kind() == gp::ErrorKind::kUnavailable &&
                                 std::string(error.what()).find("hunter2") == std::string::npos;
                        });
}

BOOST_AUTO_TEST_SUITE_END()
