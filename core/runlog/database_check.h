#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/base/secret.h"
#include "core/runlog/schema.h"

namespace gp::runlog {

struct ProjectColumn {
  std::string name;
  std::string type;          ///< "text", "character varying", "uuid", "bigint", "jsonb" ...
  bool is_required = false;  ///< NOT NULL and without a default
  bool may_insert = true;    ///< the role has the right to give it a value in a new row
};

/// A database as the service's role finds it.
struct DatabaseFacts {
  int server_version = 0;  ///< 150020 is 15.20
  std::string role;
  std::string encoding;  ///< of the database: "UTF8"
  bool is_standby = false;
  bool is_read_only = false;     ///< this role's sessions: a standby, or default_transaction_read_only
  bool may_create = false;       ///< tables, in the schema that comes first
  std::optional<Schema> schema;  ///< none: the role may not read it
  std::vector<std::string> missing_rights;     ///< "INSERT on generation_runs"
  std::vector<ProjectColumn> project_columns;  ///< of the table projects; empty where there is none
  std::chrono::milliseconds clock_ahead{
      0};  ///< the database's clock minus this host's, give or take the trip
};

/// Connects and looks; changes nothing. Throws Error(kUnavailable) where it is away.
DatabaseFacts inspect_database(const Secret& database_url);

/// What became of a notification.
enum class Listening {
  kHeard,
  kNotHeard,               ///< the two connections lead to different databases
  kNotHeardThroughPooler,  ///< the listener's passes a pooler in transaction mode, where LISTEN seems to
                           ///< succeed
};

/// Sends a notification over `database_url` to a session of `listen_url`, which waits for `patience`. Throws
/// Error(kUnavailable).
Listening try_to_listen(const Secret& listen_url, const Secret& database_url,
                        std::chrono::milliseconds patience);

}  // namespace gp::runlog
