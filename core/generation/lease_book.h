#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
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

  /// A lease of the same run that is still in the book is lost: whoever works under it has to stop.
  SharedFlags add(const runlog::Lease& lease) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[lease.run_id];
    if (entry.flags) entry.flags->is_lost = true;
    entry = Entry{lease, std::make_shared<Flags>()};
    return entry.flags;
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

  /// The terminal step written under this lease is committed, or the lease was given back. A newer one of the
  /// same run is not touched.
  void remove(const RunId& run_id, const LeaseToken& token) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(run_id);
    if (found != entries_.end() && found->second.lease.token == token) entries_.erase(found);
  }

  /// One renewal of the leases. Made by the thread that renews, before it asks for held().
  class Beat {
   public:
    explicit Beat(LeaseBook& book) : book_(book) {
      const std::lock_guard lock(book_.mutex_);
      number_ = ++book_.beats_begun_;
      book_.is_beat_wanted_ = false;
    }
    Beat(const Beat&) = delete;
    Beat& operator=(const Beat&) = delete;

    /// The database has answered, and what it said of the leases is in the book. A beat that ends without
    /// this has failed.
    void succeed() {
      const std::lock_guard lock(book_.mutex_);
      book_.last_success_ = number_;
      book_.beat_succeeded_.notify_all();
    }

   private:
    LeaseBook& book_;
    std::uint64_t number_ = 0;
  };

  /// Somebody waits in confirm().
  bool is_beat_wanted() const {
    const std::lock_guard lock(mutex_);
    return is_beat_wanted_;
  }

  /// Waits until a beat that begins from now on has succeeded; `ring` tells the thread that makes them.
  /// Returns without one after `patience`, or once there will be no more.
  void confirm(const std::function<void()>& ring, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    const std::uint64_t begun = beats_begun_;
    is_beat_wanted_ = true;
    lock.unlock();
    ring();
    lock.lock();
    beat_succeeded_.wait_for(lock, patience, [&] { return last_success_ > begun || is_closed_; });
  }

  /// There will be no more beats: nobody need wait for one.
  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    beat_succeeded_.notify_all();
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
  std::condition_variable beat_succeeded_;
  std::uint64_t beats_begun_ = 0;
  std::uint64_t last_success_ = 0;  ///< number of the last beat that has succeeded
  bool is_beat_wanted_ = false;
  bool is_closed_ = false;
};

}  // namespace gp::generation
