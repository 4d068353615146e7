#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "core/base/secret.h"

namespace gp::pg {
class Session;
}

namespace gp::runlog {

/// What a database says of its tables.
struct Schema {
  int version = 0;          ///< its newest migration; 0: nothing of ours is there
  int compatible_from = 1;  ///< programs that know at least this version work with it
};

/// The schema version this program knows, and the oldest one it works with: the number of its newest
/// migration.
int known_schema_version();

Schema read_schema(pg::Session& session);

/// Why a program that knows schema version `known` cannot work with `schema`, and what to do about it; empty
/// where it can. A database that is newer fits as long as its migrations only added.
std::string schema_mismatch(const Schema& schema, int known = known_schema_version());

/// Throws Error(kSchema) where this program does not fit the database. Every session to the tables does this
/// when it connects: one short query.
void require_schema(pg::Session& session);

/// How long a service waits for an answer before it takes the server for one that stands still: where a
/// client waits for it, and where a worker writes, which may meet a busy disk.
inline constexpr std::chrono::seconds kReadPatience{10};
inline constexpr std::chrono::seconds kWritePatience{30};

/// What a service does with each new session to the tables: require_schema, and no answer is waited for
/// longer than `patience` (pg::Session::give_up_after).
std::function<void(pg::Session&)> fitting_session(std::chrono::seconds patience);

/// How long a process that finds another schema than it can work with looks again before it gives up: perhaps
/// somebody migrates at this moment. Where systemd starts it again for each request that waits at its socket,
/// that is four times a minute at most: below the limit at which systemd gives the socket up, so the service
/// is back by itself after a migration.
inline constexpr int kSchemaPatienceS = 15;

/// For the start of a process: returns when the database fits, is away (that is nothing unusual: each request
/// will try again), or `stop_fd` has become readable. Throws Error(kSchema) where it still does not fit after
/// kSchemaPatienceS.
void await_schema(const Secret& database_url, int stop_fd);

}  // namespace gp::runlog
