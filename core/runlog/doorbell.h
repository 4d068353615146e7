#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/base/ids.h"
#include "core/base/secret.h"

namespace gp::runlog {

/// Tells readers that runs have new events: NOTIFY on "generation_events" in a session and a thread of its
/// own, never inside a writing transaction (there it serialises all commits of the cluster) and without
/// waiting for the disk.
///
/// Names gather while the thread is busy or resting, so a burst of rings is few NOTIFYs. The first ring after
/// quiet goes out at once; after each NOTIFY the thread rests twice as long as that one took and a quarter of
/// a millisecond for each name, 0.5 to 3 ms: an event is early while there are few, and notifying stays a
/// small part of the work when there are many.
///
/// While the database is away up to 10,000 names are kept and rung when it is back; what is beyond that is
/// forgotten. A lost ring costs a reader its slow timer, never an event. Make it after fork.
class Doorbell {
 public:
  /// Connects in the background. `line_out`: the reading end of a DoorbellLine, non-blocking, whose names are
  /// rung as well; -1: none. It must stay open as long as the doorbell lives. Throws Error(kUnavailable)
  /// where there are no descriptors left, std::system_error where no thread can be had.
  explicit Doorbell(Secret database_url, int line_out = -1);

  /// Sends what is left if the database answers, waiting for one second at most.
  ~Doorbell();

  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  /// Names the runs and returns at once. Any thread.
  void ring(std::span<const RunId> runs) noexcept;

 private:
  class Ringer;
  /// Shared by the doorbell and its thread: a thread that hangs in a connect, which nothing can interrupt, is
  /// left behind and must find it still there.
  std::shared_ptr<Ringer> ringer_;
};

/// Rings the doorbell of another process of this host: through a pipe, which exists before fork and outlives
/// both. So the processes of a pool share one doorbell, its session and its rests: their bursts become few
/// NOTIFYs too.
class DoorbellLine {
 public:
  /// `line_in`: the pipe's writing end, non-blocking, borrowed.
  explicit DoorbellLine(int line_in) noexcept : line_in_(line_in) {}

  /// Names the runs and returns at once. Returns how many of them, from the first, the pipe has taken: fewer
  /// than all where it is full, which means that nobody reads it. Any thread, any process.
  std::size_t ring(std::span<const RunId> runs) noexcept;

 private:
  int line_in_;
};

}  // namespace gp::runlog
