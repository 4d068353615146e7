#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/project/start_request.h"

namespace gp::runlog {

/// What POST /start achieved.
struct StartOutcome {
  enum class Kind {
    kStarted,    ///< a new run was recorded
    kRestarted,  ///< the pair's run had ended in error; its next attempt is queued, with the request it began
                 ///< with. Where that was longer ago than the retention it has another id and this request
    kAlready,    ///< it is queued, running or complete; nothing was changed
    kQueueFull,  ///< as many runs wait as may; nothing was changed
  };
  Kind kind = Kind::kStarted;
  RunId run_id;                  ///< empty where the queue is full
  bool request_differs = false;  ///< the pair's first request was another one; it stays in force
};

/// Records runs. One run per (project_id, chat_id), decided by a unique constraint (P5). A project whose id
/// is a UUID or a number has one name whichever way it is written: what the column projects.id makes of it
/// (project::canonical_id), and the run has its requests, events and document under that. One session, made
/// at first use and again after it broke. Not thread-safe; make it after fork.
class RunIntake {
 public:
  /// A run is recorded only while fewer than `queue_max` wait (0: however many). Callers that ask at the same
  /// moment may each find the last places: the queue grows beyond it by what they record then.
  explicit RunIntake(Secret database_url, std::int64_t queue_max = 0);
  ~RunIntake();  ///< rings, where that is due

  /// Records the run; ring() is due then. Throws Error(kUnavailable) where PostgreSQL is away. Where the
  /// answer of the COMMIT was lost the statement is simply repeated: it is idempotent by the pair.
  StartOutcome start(const project::StartRequest& request);

  /// The same for requests that came together: two round trips, and one commit for all that are new. Nothing
  /// for one that takes more than that (its pair is among them twice, its run ended in error, there is no
  /// room), nor for one alone: start() is for those, and for all of them where PostgreSQL is away. Up to some
  /// dozens; null, and nothing comes of it, where another kind of request came among them.
  std::vector<std::optional<StartOutcome>> start_together(
      std::span<const project::StartRequest* const> requests) noexcept;

  /// Rings the queue's doorbell where a run was recorded since the last time: one ring for several. A ring
  /// that is lost costs the run a worker's slow timer.
  void ring() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
