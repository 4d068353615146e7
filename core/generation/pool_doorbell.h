#pragma once

#include <atomic>
#include <optional>
#include <span>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/generation/worker_slot.h"
#include "core/runlog/doorbell.h"

namespace gp::generation {

/// The readers' doorbell of a pool of workers: the worker in slot 0 has it, the others ring it through the
/// pool's pipe. So the bursts of a whole host become few NOTIFYs. Where nobody reads the pipe it fills up
/// (1,820 names); what it does not take a worker rings with a doorbell of its own. Names that are in the pipe
/// while slot 0 has no worker wait for its next one: a reader's slow timer is the limit. Make it after fork.
class PoolDoorbell {
 public:
  /// Borrows the descriptors of `slot`. Throws as runlog::Doorbell does.
  PoolDoorbell(Secret database_url, const WorkerSlot& slot);

  /// Names the runs and returns at once. One thread.
  void ring(std::span<const RunId> runs);

  /// The pool is stopping: slot 0 may go before this worker does. Any thread.
  void ring_alone_from_now_on() noexcept { is_alone_ = true; }

 private:
  runlog::Doorbell& own();

  Secret url_;
  runlog::DoorbellLine line_;
  std::atomic<bool> is_alone_;
  std::optional<runlog::Doorbell> own_;
};

}  // namespace gp::generation
