#pragma once

#include "core/base/config.h"
#include "core/generation/worker_slot.h"
#include "core/llm/prices.h"
#include "core/project/blocklist.h"

namespace gp::generation {

/// What all workers of a pool share: made before they are forked. Immutable.
struct WorkerFiles {
  project::Blocklist blocklist;
  llm::PriceTable prices;

  /// Throws Error(kBadInput) naming the file, the place and the fault.
  static WorkerFiles load(const Config& config);
};

/// The life of one worker process: takes a slot on its host (spool::HostSlot), ships what a former worker of
/// that slot, and of any other that nobody holds, left in the outbox, and ends their leases (the runs can be
/// taken over at once; their takes are used up), then takes runs from the queue (woken by the doorbell, else
/// polling: slot 0 listens for the whole pool and passes a ring on to the others) and generates up to
/// WORKER_CONCURRENCY at once, one thread each, renewing all leases in one statement every LEASE_BEAT_S.
/// While PostgreSQL is away generations go on and the outbox fills. Where the spool is of no use (a full
/// disk, somebody keeps it busy) they go on as well, with what is not confirmed in memory (Shipper); a worker
/// that begins so bears a name that its successor does not know, and its leases end by their time alone. A
/// run for which the system has no thread goes back to the queue, and for some seconds none is taken.
///
/// When told to stop it takes nothing new, waits up to WORKER_DRAIN_S, then stops the rest and gives their
/// leases back, without using up an attempt. A run of which PostgreSQL does not take a step within 10 s - it
/// is away, or somebody has locked the project - keeps its lease and its rows in the outbox, for whoever has
/// the slot next. Returns the exit code. Throws Error where it can get no slot.
int run_worker(const Config& config, const WorkerFiles& files, const WorkerSlot& slot);

}  // namespace gp::generation
