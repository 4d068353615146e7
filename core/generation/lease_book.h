#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/runlog/run_queue.h"

namespace gp::generation {

/// The leases this worker process holds. A run stays in the book until its terminal step is committed, its
/// lease is lost, or it is given back - also while its generation is finished and only its outbox rows wait
/// for the database, so that the beat keeps renewing it. Thread-safe.
class LeaseBook {
 public:
  /// Raised once the lease is lost. Shared by the book, which raises it, and the generation's thread, which
  /// watches it and may outlive the entry.
  using LostFlag = std::shared_ptr<std::atomic<bool>>;

  LostFlag add(const runlog::Lease& lease) {
    const std::lock_guard lock(mutex_);
    auto flag = std::make_shared<std::atomic<bool>>(false);
    entries_[lease.run_id] = Entry{lease, flag};
    return flag;
  }

  /// The run's lease belongs to somebody else now. `token` names the lost lease: a newer one of ours is not
  /// touched. True where it was in the book.
  bool mark_lost(const RunId& run_id, const LeaseToken& token) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(run_id);
    if (found == entries_.end() || found->second.lease.token != token) return false;
    found->second.lost->store(true);
    entries_.erase(found);
    return true;
  }

  /// The run's terminal step is committed, or the lease was given back.
  void remove(const RunId& run_id) {
    const std::lock_guard lock(mutex_);
    entries_.erase(run_id);
  }

  std::vector<runlog::Lease> held() const {
    const std::lock_guard lock(mutex_);
    std::vector<runlog::Lease> leases;
    leases.reserve(entries_.size());
    for (const auto& [run_id, entry] : entries_) leases.push_back(entry.lease);
    return leases;
  }

 private:
  struct Entry {
    runlog::Lease lease;
    LostFlag lost;
  };
  mutable std::mutex mutex_;
  std::unordered_map<RunId, Entry> entries_;
};

}  // namespace gp::generation
