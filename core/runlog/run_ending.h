#pragma once

#include <string>

#include "core/base/secret.h"
#include "core/pg/session.h"
#include "core/runlog/end_outcome.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/stored_run.h"

namespace gp::runlog {

/// Why a run ends although no generation ends it: what its `error` event says.
struct RunEnding {
  std::string code;
  std::string message;
  bool retryable = false;  ///< may a program by itself start the run again? A person always may.
};

RunEnding worker_lost();     ///< the worker is gone, and nobody has taken the run over
RunEnding cancelled();       ///< somebody asked for it
RunEnding worker_crashed();  ///< its workers died again and again
RunEnding unreadable();      ///< what is stored of the run cannot be read back

/// Ends runs that no generation ends: the `error` event after what the run has, numbered and fenced like any
/// other, with the document that follows from it. Where what is stored of the run cannot be read back, the
/// event is all there is and the project's document stays as it is. Not thread-safe; make it after fork.
///
/// The caller has taken the run under a new lease token: of several who want to end it, and of a worker that
/// comes back at this moment, one wins. Where this process dies between taking and ending, the new lease
/// expires and the run can be taken once more.
class RunEnder {
 public:
  /// `csv_base_url` as in the settings: the document is folded anew, its logs.csv_url included.
  RunEnder(Secret database_url, std::string csv_base_url);

  /// Where a worker has had the attempt, the run's tokens and cost are not known from now on. Rings the
  /// readers' doorbell. `session` is the caller's, outside of a transaction. Throws Error(kUnavailable) or
  /// Error(kInDoubt) where PostgreSQL is away.
  EndOutcome end(pg::Session& session, const TakenRun& run, const RunEnding& ending);

 private:
  EndOutcome write_end(pg::Session& session, const TakenRun& run, const RunEnding& ending);

  EventWriter writer_;
  std::string csv_base_url_;
};

}  // namespace gp::runlog
