#pragma once

#include <span>

#include "core/base/config.h"
#include "core/llm/prices.h"
#include "core/project/blocklist.h"

namespace gp::generation {

/// What one worker process is given by its pool.
struct WorkerSlot {
  int slot = 0;                   ///< its number within the pool; a replacement gets the same one
  int stop_fd = -1;               ///< becomes readable, and stays so, when it should finish
  std::span<const int> wake_fds;  ///< one eventfd for each slot of the pool: a ring for the worker in it
  int line_in = -1;   ///< the pool's pipe to its doorbell (runlog::DoorbellLine); any worker writes to it
  int line_out = -1;  ///< its other end; the worker in slot 0 reads it
};

/// What all workers of a pool share: made before they are forked. Immutable.
struct WorkerFiles {
  project::Blocklist blocklist;
  llm::PriceTable prices;

  /// Throws Error(kBadInput) naming the file, the place and the fault.
  static WorkerFiles load(const Config& config);
};

/// The life of one worker process: takes a slot on its host (spool::HostSlot), ships what a former worker of
/// that slot, and of any other that nobody holds, left in the outbox, gives their runs back to the queue,
/// then takes runs from the queue (woken by the doorbell, else polling: slot 0 listens for
/// the whole pool and passes a ring on to the others) and generates up to WORKER_CONCURRENCY at once, one
/// thread each, renewing all leases in one statement every LEASE_BEAT_S. While PostgreSQL is away generations
/// go on and the outbox fills. When told to stop it takes nothing new, waits up to WORKER_DRAIN_S, then stops
/// the rest and gives their leases back, without using up an attempt. Returns the exit code. Throws Error
/// where the spool cannot be opened.
int run_worker(const Config& config, const WorkerFiles& files, const WorkerSlot& slot);

}  // namespace gp::generation
