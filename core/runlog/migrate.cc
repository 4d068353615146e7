#include "core/runlog/migrate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "migrations.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kUndefinedTable = "42P01";

/// "0001_create_runs_and_events" -> 1; the files are sorted by name.
int version_of(const pg::Statement& migration) { return std::stoi(std::string(migration.name.substr(0, 4))); }

int read_version(pg::Session& session) {
  return static_cast<int>(session.run(sql::kReadSchemaVersion).number(0, "version"));
}

/// Applies the first migration that is missing, in one transaction, and returns its name.
std::optional<std::string> apply_next(pg::Session& session) {
  pg::Transaction transaction(session);
  session.run(sql::kLockMigrations);
  session.run(sql::kCreateSchemaTable);
  const int version = read_version(session);
  if (version > known_schema_version()) {
    throw Error(ErrorKind::kConflict,
                fmt::format("the database has schema version {}, this program knows {}: install a newer one",
                            version, known_schema_version()));
  }
  const auto all = migrations::all();
  const auto next =
      std::ranges::find_if(all, [&](const pg::Statement* m) { return version_of(*m) > version; });
  if (next == all.end()) return std::nullopt;
  session.run_script((*next)->sql);
  const std::string name((*next)->name);
  session.run(sql::kRecordMigration, {version_of(**next), name});
  transaction.commit();
  return name;
}

}  // namespace

int known_schema_version() { return version_of(*migrations::all().back()); }

int schema_version(const Secret& database_url) {
  pg::Session session(database_url, "generate-project");
  try {
    return read_version(session);
  } catch (const Error& error) {
    if (error.code() == kUndefinedTable) return 0;
    throw;
  }
}

std::vector<std::string> migrate(const Secret& database_url) {
  pg::Session session(database_url, "generate-project migrate");
  std::vector<std::string> applied;
  while (auto name = apply_next(session)) applied.push_back(std::move(*name));
  return applied;
}

}  // namespace gp::runlog
