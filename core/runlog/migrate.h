#pragma once

#include <string>
#include <vector>

#include "core/base/secret.h"

namespace gp::runlog {

/// A migration that a database does not have yet.
struct PendingMigration {
  std::string name;     ///< "0001_create_runs_and_events"
  std::string summary;  ///< the first sentence of its comment
};

/// What migrate() would apply, in order. Changes nothing. Throws Error(kUnavailable), and Error(kSchema)
/// where the database is newer.
std::vector<PendingMigration> pending_migrations(const Secret& database_url);

/// Applies what is missing, each migration in its own transaction, under an advisory lock so that two hosts
/// may run it at once. Forward only; running it again does nothing. Makes the table `projects` only where
/// there is none and never alters one that exists. Returns the names of the migrations applied. Throws
/// Error(kSchema) where the database is newer.
std::vector<std::string> migrate(const Secret& database_url);

}  // namespace gp::runlog
