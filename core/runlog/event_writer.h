#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/secret.h"
#include "core/project/step.h"

namespace gp::runlog {

enum class WriteOutcome {
  kWritten,         ///< committed now
  kAlreadyWritten,  ///< an earlier try whose COMMIT answer was lost had committed it
  kFenced,   ///< the run has another lease token by now, or the id is not the next one: the writer must stop
  kLocked,   ///< write_around_locks: somebody else's transaction holds the project's row; try it again later
  kRefused,  ///< write_around_locks: PostgreSQL does not take what is in the steps, and never will
};

/// How long to rest after a batch of so many steps that took so long: as long again, 2 ms at most, so that
/// steps gather while there are many, and share the next batch. After a step alone there is no rest: while
/// there are few none of them waits.
std::chrono::nanoseconds rest_after(std::size_t steps, std::chrono::nanoseconds took) noexcept;

/// Commits steps: event, run row and project document together (P1), fenced by the lease token, ids without
/// gap (P2). One session. Not thread-safe; make it after fork.
///
/// The usual batch is one round trip and one transaction. Runs that it refuses (fenced, or written before)
/// and a batch with a document that the calling app's table refuses, or whose row somebody has locked, are
/// written run by run after it, each in a transaction of its own. Nothing waits long for a lock
/// (lock_wait.h).
class EventWriter {
 public:
  explicit EventWriter(Secret database_url);
  ~EventWriter();

  /// Writes `steps` (in order; several runs may be mixed; of one run all or none) and returns one outcome
  /// each. Of the steps of one run only the last one's document is written. A project that has a later run
  /// keeps its document; only events are written then. A document that the projects table refuses is reported
  /// and left out. Throws Error(kUnavailable), also where a row is locked for too long, or Error(kInDoubt):
  /// call again with the same steps.
  std::vector<WriteOutcome> write(std::span<const project::Step> steps);

  /// The same for whoever can come back with some of the steps: a run whose project is locked, or whose steps
  /// PostgreSQL refuses for what is in them (that is reported), stops no other one. Nothing of it is written.
  std::vector<WriteOutcome> write_around_locks(std::span<const project::Step> steps);

  /// For a step that was fenced: the id of the newest event that the log has, where the lease is still the
  /// step's and the log lacks events before it. That happens after a failover to a standby that had not got
  /// everything; whoever knows those events can write them again. Nothing where the run is somebody else's.
  std::optional<std::int64_t> find_last_id_if_behind(const project::Step& step);

 private:
  std::vector<WriteOutcome> write(std::span<const project::Step> steps, bool around_locks);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
