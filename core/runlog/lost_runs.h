#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/runlog/end_outcome.h"

namespace gp::runlog {

/// Ends runs that have lost their worker and that no other worker has taken over: the event `error` with code
/// "worker_lost" (retryable: POST /start goes on with the finished sections), or "cancelled" where that was
/// asked for. Whoever follows a run may call it, so that a stream never stays open on a dead run (P6) even
/// where no worker is left at all.
///
/// The run is taken over first, under a new lease token: of several callers, and of a worker that comes back
/// at this moment, one wins. Where this process dies between taking and ending, the new lease expires and the
/// run is lost once more. Not thread-safe; make it after fork. Throws Error(kUnavailable) where PostgreSQL is
/// away.
class LostRuns {
 public:
  /// `csv_base_url` as in the settings: the document is folded anew, its logs.csv_url included.
  LostRuns(Secret database_url, std::string csv_base_url);
  ~LostRuns();

  /// Ends the run if its lease ended more than `lost_after` ago, else it is not ours. Waits twice as long for
  /// a lock as lock_wait.h says, at most.
  EndOutcome end(const RunId& run_id, std::chrono::seconds lost_after);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
