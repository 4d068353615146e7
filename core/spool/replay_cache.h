#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/spool/cached_event.h"

namespace gp::spool {

/// How much of the host's disk the cache may use, and for how long.
struct ReplayLimits {
  std::int64_t max_bytes = 536870912;     ///< SPOOL_MAX_BYTES: of the whole file; the cache takes 3/4 of it
  std::chrono::seconds max_age{604'800};  ///< SPOOL_MAX_AGE_S: older rows go at the next trim()
};

/// What the cache knows of a run beyond a cursor.
struct CachedTail {
  /// Ids after+1, after+2 ... without gap, at most `limit`; empty where the cache misses after+1.
  std::vector<CachedEvent> events;
  /// The newest event that is reachable without gap from `after`, where `limit` cut `events` short too; the
  /// run's newest at all where `after` is at or beyond it; 0: nothing usable.
  std::int64_t last_id = 0;
  /// The event `last_id` is run_completed: nothing can ever follow it. (An `error` may be followed by another
  /// attempt.)
  bool is_complete = false;
};

/// Confirmed events that this host wrote or served, in the host's SQLite spool: what is replayed without
/// asking PostgreSQL, and while PostgreSQL is away (P4).
///
/// A cache: it may miss anything at any time and is never wrong. Each row carries a CRC, because SQLite
/// notices a damaged page only when its structure is broken, and not at all inside a text. Connections use
/// synchronous=NORMAL: a power failure may take the newest rows, PostgreSQL has them.
///
/// Not thread-safe; make it after fork. Never throws: a spool that cannot be opened, written or read makes it
/// degraded, which is reported once until it works again; a file that could not be opened is tried again once
/// a second. Waits for other processes' writes 500 ms at most in store() and trim(), and for nobody in
/// find().
class ReplayCache {
 public:
  /// Touches nothing yet: the first use opens the file and checks its structure, which on a cold disk takes
  /// as long as reading all of it.
  ReplayCache(std::string path, ReplayLimits limits);
  ~ReplayCache();

  /// The events of `run_id` after the id `after` (0: from the first). `limit` is at least 1. A row whose CRC
  /// is wrong ends the answer before it, and the run's rows are removed and reported. A gap ends the answer
  /// too; it is nothing wrong (another host wrote what is missing) and store() fills it.
  CachedTail find(const RunId& run_id, std::int64_t after, int limit);

  /// Keeps `events` in one transaction; those that are there already stay as they are. At the quota the
  /// oldest rows of the cache make room.
  void store(std::span<const CachedEvent> events);

  /// The runs that it has events of; empty where it is degraded. Looks at every row.
  std::vector<RunId> runs();

  /// Removes all events of these runs: they have passed their retention. False where that failed.
  bool forget(std::span<const RunId> runs);

  /// Evicts rows that were stored more than max_age before `now`, or after it (the clock was ahead), some
  /// thousand a call; takes a file that is larger than max_bytes, which was lowered, some 64 MiB towards it;
  /// and does what SpoolFile::maintain does. Call it now and then from any process.
  void trim(WallTime now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::spool
