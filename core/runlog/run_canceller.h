#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/base/ids.h"
#include "core/base/secret.h"

namespace gp::runlog {

/// What became of a wish to cancel a run.
struct CancelOutcome {
  enum class Kind {
    kUnknown,   ///< there is no such run
    kStopping,  ///< a worker has it, and was told; where that worker is gone, whoever takes the run over ends
                ///< it
    kEnded,     ///< it has ended: now, or before
  };
  Kind kind = Kind::kUnknown;
  std::string state;       ///< of the run after it: "running", "complete" or "error"
  std::string error_code;  ///< with "error": "cancelled", or what it had ended with before
  bool ended_now = false;  ///< this call ended it
};

/// The same in one sentence, for people. Throws Error(kBug) for kUnknown: nothing became of it.
std::string describe(const CancelOutcome& outcome);

/// Cancels runs, wherever they are: a note in the run's row that is in force for the current attempt, then a
/// ring for the workers, which look for it among the runs they hold at every ring and every lease beat. A run
/// that waits in the queue, or whose lease ended more than `lost_after` ago, is ended here. It ends with the
/// event `error`, code "cancelled" (not retryable: no program should undo a person's wish; POST /start starts
/// it again). Idempotent. One session, made at first use and again after it broke. Not thread-safe; make it
/// after fork.
class RunCanceller {
 public:
  RunCanceller(Secret database_url, std::string csv_base_url, std::chrono::seconds lost_after);
  ~RunCanceller();

  /// Throws Error(kUnavailable) or Error(kInDoubt) where PostgreSQL is away, or where somebody's transaction
  /// holds the run's row for longer than kLockPatience (lock_wait.h): call again.
  CancelOutcome cancel(const RunId& run_id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
