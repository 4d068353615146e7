#include "core/runlog/migrate.h"

#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "sql.h"
#include "tests/integration/database.h"

using integration::Database;
using integration::Migrated;

BOOST_AUTO_TEST_SUITE(migrate)

BOOST_FIXTURE_TEST_CASE(the_tables_are_made_once_and_running_again_does_nothing, Database) {
  BOOST_TEST(gp::runlog::schema_version(url()) == 0);
  BOOST_TEST(!gp::runlog::migrate(url()).empty());
  BOOST_TEST(gp::runlog::schema_version(url()) == gp::runlog::known_schema_version());
  BOOST_TEST(gp::runlog::migrate(url()).empty());
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

BOOST_FIXTURE_TEST_CASE(a_newer_database_is_refused, Migrated) {
  script("INSERT INTO generation_schema (version, name) VALUES (1000, 'from the future')");
  BOOST_CHECK_EXCEPTION(gp::runlog::migrate(url()), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kConflict; });
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
