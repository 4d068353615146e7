#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"

namespace gp::runlog {

/// Where one reader stands in one run: it has seen every event up to and including `after` (0: none).
struct Cursor {
  RunId run_id;
  std::int64_t after = 0;
};

struct StoredEvent {
  std::int64_t id = 0;
  std::string type;
  std::string data;                  ///< one JSON object on one line, exactly as written
  std::int64_t committed_at_ms = 0;  ///< since 1970, by the database's clock; 0: not known
};

/// What the log says about one run beyond a cursor, all of it from one snapshot.
struct RunTail {
  enum class Standing {
    kUnknown,  ///< no such run
    kPruned,   ///< its events are older than the retention and gone
    kOpen,     ///< queued or running: more events will come
    kEnded,    ///< complete or error: `last_id` is the terminal event's, unless the run is started again
  };
  RunId run_id;
  Standing standing = Standing::kUnknown;
  std::int64_t last_id = 0;         ///< id of the newest committed event
  std::vector<StoredEvent> events;  ///< ids from after + 1 upwards without gap, at most the limit asked for
  bool has_failed = false;          ///< kEnded: in error
};

/// What a look at many runs found.
struct Sweep {
  std::vector<RunId> behind;                    ///< have events beyond the cursor given
  std::vector<RunId> lost;                      ///< are running under a lease that has long expired
  std::chrono::milliseconds database_clock{0};  ///< since 1970: the clock by which leases were judged
};

/// The read side of the event log: LISTEN on "generation_events" first, then read from the cursor, so that no
/// event can fall between. One session for both. Not thread-safe; make it after fork. Every function throws
/// Error(kUnavailable) where PostgreSQL is away; the next call connects and LISTENs again (and
/// `connections_made()` has grown: rings may have been lost).
class EventReader {
 public:
  explicit EventReader(Secret listen_url);
  ~EventReader();

  /// Connects and LISTENs where that is not done yet. Called before the first read.
  void ensure_listening();

  /// A caller that sees a new value reads every run it follows once.
  std::uint64_t connections_made() const noexcept;

  /// One query for all `cursors`; answers in their order, at most `limit` events each.
  std::vector<RunTail> read(std::span<const Cursor> cursors, int limit);

  /// Looks, without reading events, which of `cursors` a ring has been lost for, and whose lease ended more
  /// than `lost_after` ago. One query, about 3 microseconds a run.
  Sweep find_behind(std::span<const Cursor> cursors, std::chrono::seconds lost_after);

  /// Waits until the doorbell rings, `wake_fd` becomes readable (it is not read), or `timeout` has passed;
  /// returns the runs named by every ring so far, each once.
  std::vector<RunId> wait_for_ring(std::chrono::milliseconds timeout, int wake_fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
