#pragma once

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
/// a millisecond for each name, 0.5 to 5 ms: an event is early while there are few, and notifying stays a
/// small part of the work when there are many.
///
/// While the database is away up to 10,000 names are kept and rung when it is back; what is beyond that is
/// forgotten. A lost ring costs a reader its slow timer, never an event. Make it after fork.
class Doorbell {
 public:
  /// Connects in the background. Throws std::system_error where no thread can be had.
  explicit Doorbell(Secret database_url);

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

}  // namespace gp::runlog
