#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/clock.h"
#include "core/spool/cached_event.h"
#include "core/spool/spool_connection.h"

/// The table `events` of the spool, as the outbox and the replay cache both use it. To be called inside
/// SpoolFile::write (the readers: inside SpoolFile::read).
namespace gp::spool {

/// An event's row as it was read.
struct EventRow {
  CachedEvent event;
  bool is_sound = false;  ///< the row's CRC is right
};

/// Keeps the event unless the table has one of its run and id.
void insert_event(SpoolConnection& connection, const CachedEvent& event, WallTime now);

/// The row that a statement of read_tail or read_newest stands on.
EventRow read_event(const sqlite::Statement& row, const RunId& run_id);

/// Removes the oldest events until `pages` more pages of the file are free. False where there was none to
/// remove.
bool evict_oldest(SpoolConnection& connection, std::int64_t pages);

/// When an event must have been stored to be kept. One of a later time than now was stored while the clock
/// was ahead, nobody knows when: it is old.
struct Lifetime {
  WallTime now;
  std::chrono::seconds max_age;
};

/// Whether evict_older() would remove something.
bool has_older(SpoolConnection& connection, std::int64_t most, const Lifetime& lifetime);

/// Of the oldest `most` events removes those that have passed their lifetime.
void evict_older(SpoolConnection& connection, std::int64_t most, const Lifetime& lifetime);

/// How many pages to free at once so that full transactions stay rare: a 32nd of the quota, at most 4 MiB.
std::int64_t pages_to_free(const SpoolConnection& connection);

std::int64_t as_ms(WallTime time);

}  // namespace gp::spool
