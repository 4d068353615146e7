#pragma once

#include <atomic>
#include <cstddef>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/project/step.h"
#include "core/runlog/event_writer.h"
#include "core/spool/outbox.h"

namespace gp::generation {

/// Writes steps, and what a failover to a standby that lacked what the old primary had confirmed has taken
/// from the log: the newest confirmed step of every run of this process is sent once more after each lost
/// connection, and where the log turns out to be behind it, the events in between come from the replay cache
/// (known_events.h). The shipper's thread only, but for doubt(). What writes throws as EventWriter does.
class LogRestorer {
 public:
  /// Both outlive it.
  LogRestorer(spool::Outbox& outbox, runlog::EventWriter& writer) : outbox_(outbox), writer_(writer) {}

  /// EventWriter::write_around_locks; the steps of a run that the log is behind for are written with what it
  /// lacks before them.
  std::vector<runlog::WriteOutcome> write(const std::vector<project::Step>& steps);

  /// The connection was lost: the log may be another one now. Any thread.
  void doubt() noexcept { is_in_doubt_ = true; }

  /// Where it is in doubt: does the log still have what it had confirmed? Returns the runs of which it had
  /// lost something, and has it now. Steps of runs that have ended are asked about as well, for a minute:
  /// nobody would write to those again. Those of a locked project leave the log in doubt.
  std::vector<RunId> check();

  void note_confirmed(const project::Step& step);
  /// The lease is lost: what was confirmed under it is asked about no more.
  void forget(const project::Step& refused);
  void forget_the_ended();

 private:
  struct Newest {
    project::Step step;
    SteadyTime confirmed;
  };

  void restore(const std::vector<project::Step>& steps, std::size_t first,
               std::vector<runlog::WriteOutcome>& outcomes);

  spool::Outbox& outbox_;
  runlog::EventWriter& writer_;
  std::atomic<bool> is_in_doubt_ = false;
  std::unordered_map<RunId, Newest> newest_;  ///< the newest confirmed step of each run
};

}  // namespace gp::generation
