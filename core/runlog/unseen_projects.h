#pragma once

#include <deque>
#include <string>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/pg/session.h"

namespace gp::runlog {

/// Claimed runs whose project nobody could look at, because somebody held a lock (lock_wait.h). The project
/// may have no row, and a step makes none: once the lock is gone each such run's document is stored as the
/// log has it by then, whether the run goes on or has ended. Where the process ends before that, a take-over
/// looks at the project again; of a run that had ended, the document is for `generate-project document`.
/// Not thread-safe.
class UnseenProjects {
 public:
  explicit UnseenProjects(std::string csv_base_url);  ///< as in the settings

  /// The oldest one of very many is given up and reported.
  void add(const RunId& run_id);

  /// Tries a few of them, none of them twice, until a lock is met, and then none for two seconds. Waits
  /// kShortLockPatience at most. A run whose document cannot be made, or that the projects table refuses, is
  /// reported and forgotten. Throws Error(kUnavailable) or Error(kInDoubt) where PostgreSQL is away: nothing
  /// is forgotten.
  void store_some(pg::Session& session);

 private:
  std::string csv_base_url_;
  std::deque<RunId> runs_;
  SteadyTime not_before_{};
};

}  // namespace gp::runlog
