#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <thread>
#include <utility>

#include "core/base/config.h"
#include "core/generation/circuit_breaker.h"
#include "core/generation/lease_book.h"
#include "core/generation/provider_memory.h"
#include "core/generation/shipper.h"
#include "core/llm/prices.h"
#include "core/project/blocklist.h"
#include "core/runlog/run_queue.h"

namespace gp::generation {

/// The generations that a worker process has under way, each on a thread of its own, and what they know of
/// the provider together. The worker's main thread only; everything given outlives it. Make it after fork.
class Generations {
 public:
  /// `ring` tells the main thread to reap() or to beat; called from any thread.
  Generations(const Config& config, const project::Blocklist& blocklist, const llm::PriceTable& prices,
              LeaseBook& leases, Shipper& shipper, std::function<void()> ring)
      : config_(config),
        blocklist_(blocklist),
        prices_(prices),
        leases_(leases),
        shipper_(shipper),
        ring_(std::move(ring)) {}

  /// `flags`: of the claim's lease, which is in the book. Throws std::system_error where there is no thread
  /// for it: then it has not begun.
  void start(runlog::Claim claim, LeaseBook::SharedFlags flags);

  /// Joins the threads of those that have ended. The lease of one that ended without a terminal event leaves
  /// the book.
  void reap();

  /// Tells all to end without a terminal event, and waits for them. Their leases stay in the book, which is
  /// closed.
  void stop();

  std::size_t size() const noexcept { return running_.size(); }
  bool empty() const noexcept { return running_.empty(); }

 private:
  /// One of them and its thread.
  struct Running {
    runlog::Lease lease;
    LeaseBook::SharedFlags flags;
    std::atomic<bool> has_ended = false;
    bool was_stopped = false;  ///< written by the thread before has_ended, read after
    std::jthread thread;
  };

  void generate(Running& running, runlog::Claim claim);

  const Config& config_;
  const project::Blocklist& blocklist_;
  const llm::PriceTable& prices_;
  LeaseBook& leases_;
  Shipper& shipper_;
  std::function<void()> ring_;
  ProviderMemory provider_;
  CircuitBreaker breaker_{{.failures_to_open = static_cast<int>(config_.worker_concurrency)}};
  std::atomic<bool> is_abandoning_ = false;
  std::list<Running> running_;  ///< last: its threads use everything above
};

}  // namespace gp::generation
