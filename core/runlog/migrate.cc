#include "core/runlog/migrate.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <thread>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/schema.h"
#include "migrations.h"
#include "sql.h"

namespace gp::runlog {
namespace {

using Migrations = std::span<const pg::Statement* const>;

constexpr std::chrono::milliseconds kPatience{2000};  ///< for a lock on a table
constexpr std::chrono::milliseconds kPause{500};      ///< lets those pass that waited behind us
constexpr int kMostTries = 5;

/// In the comment of a migration that takes something away: the oldest schema version that a program must
/// know to work with the result.
constexpr std::string_view kCompatibleFrom = "-- compatible-from: ";

/// "0001_create_runs_and_events" -> 1; the files are sorted by name.
int version_of(const pg::Statement& migration) { return std::stoi(std::string(migration.name.substr(0, 4))); }

/// A migration that says nothing only adds: whoever worked with the tables before goes on.
int compatible_from(const pg::Statement& migration, int before) {
  const auto at = migration.sql.find(kCompatibleFrom);
  if (at == std::string_view::npos) return before;
  const std::string_view text = migration.sql.substr(at + kCompatibleFrom.size());
  int version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

/// The first comment line without its dashes.
std::string summary_of(const pg::Statement& migration) {
  std::string line(migration.sql.substr(0, migration.sql.find('\n')));
  return line.starts_with("-- ") ? line.substr(3) : line;
}

/// The migrations that `schema` lacks: none where it is newer and takes this program all the same. Throws
/// Error(kSchema) where it does not.
Migrations missing_from(const Schema& schema) {
  if (schema.version > known_schema_version()) {
    const std::string mismatch = schema_mismatch(schema);
    if (!mismatch.empty()) throw Error(ErrorKind::kSchema, mismatch);
  }
  const Migrations all = migrations::all();
  const auto next =
      std::ranges::find_if(all, [&](const pg::Statement* m) { return version_of(*m) > schema.version; });
  return all.subspan(static_cast<std::size_t>(next - all.begin()));
}

/// Applies the first migration that is missing, in one transaction, and returns its name. Waits as long as it
/// takes for another host that migrates, but not for a transaction that holds our tables: whatever comes
/// after this one in the line for a table waits as well.
std::optional<std::string> try_next(pg::Session& session) {
  pg::Transaction transaction(session);
  session.run(sql::kLockMigrations);
  session.run(limit_lock_wait(kPatience, LockScope::kTransaction));
  session.run(sql::kCreateSchemaTable);
  if (session.run(sql::kFindCompatibleFrom).empty()) session.run(sql::kAddCompatibleFrom);
  const Schema schema = read_schema(session);
  const Migrations missing = missing_from(schema);
  if (missing.empty()) {
    transaction.commit();  // the column may be new
    return std::nullopt;
  }
  const pg::Statement& next = *missing.front();
  session.run_script(next.sql);
  session.run(sql::kRecordMigration,
              {version_of(next), next.name, compatible_from(next, schema.compatible_from)});
  transaction.commit();
  return std::string(next.name);
}

std::optional<std::string> apply_next(pg::Session& session) {
  for (int tries = 1;; ++tries) {
    try {
      return try_next(session);
    } catch (const Error& error) {
      if (!is_lock_timeout(error)) throw;
      if (tries < kMostTries) {
        std::this_thread::sleep_for(kPause);
        continue;
      }
      throw Error(
          ErrorKind::kUnavailable,
          fmt::format("somebody's transaction holds the tables of generate-project (tried {} times): end "
                      "it, see pg_stat_activity, and migrate again; nothing is half done",
                      tries),
          error.code());
    }
  }
}

/// Asks for no right that only a migration needs.
bool is_complete(pg::Session& session) {
  return missing_from(read_schema(session)).empty() && !session.run(sql::kFindCompatibleFrom).empty();
}

}  // namespace

int known_schema_version() { return version_of(*migrations::all().back()); }

std::vector<PendingMigration> pending_migrations(const Secret& database_url) {
  pg::Session session(database_url, "generate-project migrate");
  std::vector<PendingMigration> pending;
  for (const pg::Statement* migration : missing_from(read_schema(session)))
    pending.push_back({std::string(migration->name), summary_of(*migration)});
  return pending;
}

int schema_version(const Secret& database_url) {
  pg::Session session(database_url, "generate-project migrate");
  return read_schema(session).version;
}

std::vector<std::string> migrate(const Secret& database_url,
                                 const std::function<void(const std::string&)>& on_applied) {
  pg::Session session(database_url, "generate-project migrate");
  std::vector<std::string> applied;
  while (!is_complete(session)) {
    auto name = apply_next(session);
    if (!name) continue;
    if (on_applied) on_applied(*name);
    applied.push_back(std::move(*name));
  }
  return applied;
}

}  // namespace gp::runlog
