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
  struct Flags {
    std::atomic<bool> is_lost = false;       ///< the lease belongs to somebody else
    std::atomic<bool> is_cancelled = false;  ///< somebody wants the run to end
  };
  /// Shared by the book, which raises the flags, and the generation's thread, which watches them and may
  /// outlive the entry.
  using SharedFlags = std::shared_ptr<Flags>;

  SharedFlags add(const runlog::Lease& lease) {
    const std::lock_guard lock(mutex_);
    auto flags = std::make_shared<Flags>();
    entries_[lease.run_id] = Entry{lease, flags};
    return flags;
  }

  /// The run's lease belongs to somebody else now. `token` names the lost lease: a newer one of ours is not
  /// touched. True where it was in the book.
  bool mark_lost(const RunId& run_id, const LeaseToken& token) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(run_id);
    if (found == entries_.end() || found->second.lease.token != token) return false;
    found->second.flags->is_lost = true;
    entries_.erase(found);
    return true;
  }

  /// The run is to be cancelled. Its lease stays ours, and in the book, until its end is committed.
  void mark_cancelled(const RunId& run_id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(run_id);
    if (found != entries_.end()) found->second.flags->is_cancelled = true;
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
    SharedFlags flags;
  };
  mutable std::mutex mutex_;
  std::unordered_map<RunId, Entry> entries_;
};

}  // namespace gp::generation
