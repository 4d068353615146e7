#pragma once

#include <span>

namespace gp::generation {

/// What one worker process is given by its pool.
struct WorkerSlot {
  int slot = 0;                   ///< its number within the pool; a replacement gets the same one
  int stop_fd = -1;               ///< becomes readable, and stays so, when it should finish
  std::span<const int> wake_fds;  ///< one eventfd for each slot of the pool: a ring for the worker in it
  int line_in = -1;   ///< the pool's pipe to its doorbell (runlog::DoorbellLine); any worker writes to it
  int line_out = -1;  ///< its other end; the worker in slot 0 reads it
};

}  // namespace gp::generation
