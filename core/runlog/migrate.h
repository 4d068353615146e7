#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/secret.h"

namespace gp::runlog {

/// A migration that a database does not have yet.
struct PendingMigration {
  std::string name;     ///< "0001_create_runs_and_events"
  std::string summary;  ///< the first sentence of its comment
};

/// What migrate() would apply, in order: nothing where the database is newer and takes this program all the
/// same. Changes nothing. Throws Error(kUnavailable), and Error(kSchema) where the database is newer and does
/// not take this program any more.
std::vector<PendingMigration> pending_migrations(const Secret& database_url);

/// Applies what is missing, each migration in its own transaction, under an advisory lock so that two hosts
/// may run it at once. Forward only; running it again does nothing, and takes no more rights than to read
/// generation_schema. Makes the table `projects` only where there is none and never alters one that exists.
/// Returns the names of the migrations applied; `on_applied` is told each once it is committed, since a later
/// one may fail. Throws as pending_migrations() does, and Error(kUnavailable) where somebody's transaction
/// holds the tables or a right is missing.
std::vector<std::string> migrate(const Secret& database_url,
                                 const std::function<void(const std::string& name)>& on_applied = nullptr);

/// The version of the database's tables as they are: 0 where there are none, and more than
/// known_schema_version() where a newer program has migrated. Throws Error(kUnavailable).
int schema_version(const Secret& database_url);

}  // namespace gp::runlog
