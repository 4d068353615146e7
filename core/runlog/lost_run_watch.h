#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/runlog/clock_watch.h"
#include "core/runlog/end_outcome.h"
#include "core/runlog/event_reader.h"

namespace gp::runlog {

/// Says when a follower of runs ends those that its sweeps call lost, and has them ended. A lease that has
/// ended says that nobody works for a run only where its owner could have renewed it: so none is ended for a
/// grace after a connection was made, after one could not be ended, or after the database's clock has jumped.
/// One thread.
class LostRunWatch {
 public:
  /// LostRuns::end, or a test's. May throw where all else works: the runs' owners may be at another address
  /// than what is read.
  using End = std::function<EndOutcome(const RunId&)>;

  struct Limits {
    std::chrono::milliseconds outage_grace{0};
    /// No run is ended for so long after one whose project was locked: the follower waits meanwhile.
    std::chrono::milliseconds lock_rest{10000};
  };

  LostRunWatch(End end, Limits limits);

  /// The follower has connected, for the first time or again.
  void note_connection();

  /// Ends what `sweep`, which was asked for at `asked`, calls lost. Returns the runs that it could ask for:
  /// each has ended, or belongs to somebody else. What fails is reported.
  std::vector<RunId> end_lost(const Sweep& sweep, SteadyTime asked);

 private:
  bool may_end() const;
  bool try_to_end(const RunId& run_id);
  void note_end(const RunId& run_id, EndOutcome outcome);

  End end_;
  Limits limits_;
  SteadyTime grace_from_{};
  SteadyTime ends_from_{};  ///< a rest after a lock ends here
  /// A quarter: what is tolerated cannot make a lease that is renewed in time seem to have ended LOST_AFTER_S
  /// ago.
  ClockWatch clock_;
  bool can_end_ = true;
};

}  // namespace gp::runlog
