#pragma once

#include "core/base/unique_fd.h"
#include "core/generation/worker_slot.h"
#include "core/runlog/run_queue.h"

namespace gp::generation {

/// What a worker process waits for beside the database: a ring of its own threads (a generation's has ended;
/// its run has ended in PostgreSQL, after which its owner's next run may begin; one wants a beat), a ring
/// that the listening worker of the pool passes on, and its stop. Only ring() may be called from any thread.
class WakeUp {
 public:
  /// Borrows the descriptors of `slot`. Throws Error(kUnavailable) where there are none left.
  explicit WakeUp(const WorkerSlot& slot);

  void ring() const;                               ///< the worker's main thread should look round
  void pass_on(const runlog::Rings& rings) const;  ///< the other workers of the pool should hear it too

  /// Forgets the rings so far and returns what was passed on to this worker: call it before looking at what
  /// they are about.
  runlog::Rings clear() const;

  int any_fd() const { return any_.get(); }     ///< readable while there is a ring or the stop
  int ring_fd() const { return rings_.get(); }  ///< readable while there is a ring

 private:
  static void watch(const UniqueFd& epoll, int fd);
  int own_wake_fd() const;

  WorkerSlot slot_;
  UniqueFd own_;    ///< what ring() writes to
  UniqueFd rings_;  ///< epoll descriptors: RunQueue::wait takes one descriptor
  UniqueFd any_;
};

}  // namespace gp::generation
