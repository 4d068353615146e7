#pragma once

#include <string>
#include <vector>

#include "core/base/secret.h"

namespace gp::runlog {

/// The schema version this program knows: the number of its newest migration.
int known_schema_version();

/// The version of the database; 0 where nothing of ours is there. Throws Error(kUnavailable).
int schema_version(const Secret& database_url);

/// Applies what is missing, each migration in its own transaction, under an advisory lock so that two hosts
/// may run it at once. Forward only; running it again does nothing. Makes the table `projects` only where
/// there is none and never alters one that exists. Returns the names of the migrations applied. Throws
/// Error(kConflict) where the database is newer.
std::vector<std::string> migrate(const Secret& database_url);

}  // namespace gp::runlog
