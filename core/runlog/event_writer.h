#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/project/step.h"

namespace gp::runlog {

enum class WriteOutcome {
  kWritten,         ///< committed now
  kAlreadyWritten,  ///< an earlier try whose COMMIT answer was lost had committed it
  kFenced,  ///< the run has another lease token by now, or the id is not the next one: the writer must stop
};

/// Commits steps: event, run row and project document together (P1), fenced by the lease token, ids without
/// gap (P2). One session. Not thread-safe; make it after fork.
class EventWriter {
 public:
  explicit EventWriter(Secret database_url);
  ~EventWriter();

  /// Writes `steps` (in order; several runs may be mixed) in ONE transaction and returns one outcome each. Of
  /// the steps of one run only the last one's document is written. A project that has a later run keeps its
  /// document; only events are written then. Throws Error(kUnavailable) or Error(kInDoubt): call again with
  /// the same steps.
  std::vector<WriteOutcome> write(std::span<const project::Step> steps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Tells readers that runs have new events: NOTIFY on "generation_events" in a session of its own with
/// synchronous_commit off, after the commit, never inside it (a NOTIFY in a writing transaction serialises
/// all commits of the cluster). Losing a ring costs a reader its slow timer, never an event. Not thread-safe;
/// make it after fork.
class Doorbell {
 public:
  explicit Doorbell(Secret database_url);
  ~Doorbell();

  /// Names the runs, in as many NOTIFYs as their ids need (payload limit 7,999 bytes). Failures are swallowed
  /// and the session is made again next time.
  void ring(std::span<const RunId> runs) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
