#pragma once

#include "core/base/unique_fd.h"
#include "core/generation/worker.h"

namespace gp::generation {

/// What a worker process waits for beside the database: the end of one of its generations, a ring that the
/// listening worker of the pool passes on, and its stop. Only ring() may be called from any thread.
class WakeUp {
 public:
  /// Borrows the descriptors of `slot`. Throws Error(kUnavailable) where there are none left.
  explicit WakeUp(const WorkerSlot& slot);

  void ring() const;           ///< a generation has ended
  void ring_siblings() const;  ///< the other workers of the pool should look at the queue
  void clear() const;          ///< forgets the rings so far: call it before looking at what they are about

  int any_fd() const { return any_.get(); }      ///< readable while there is a ring or the stop
  int ended_fd() const { return ended_.get(); }  ///< readable while there is a ring of ring()

 private:
  void watch(int fd) const;
  int own_wake_fd() const;

  WorkerSlot slot_;
  UniqueFd ended_;
  UniqueFd any_;  ///< an epoll descriptor: RunQueue::wait takes one descriptor
};

}  // namespace gp::generation
