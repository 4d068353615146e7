#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/base/unique_fd.h"

namespace gp::spool {

/// A worker's number among all workers that share one spool. Outbox rows and leases are named after it, so
/// one process holds it at a time: a lock on one byte of the side file `path`, which the kernel gives back
/// when the process ends, however it ends (byte_lock.h).
///
/// Within one pool the number is that of the pool's slot. Where somebody else holds that one - workers of a
/// master that was killed and that are still draining, or a second pool on this spool by mistake - it is the
/// lowest free one above those of the pool: the work goes on beside them instead of waiting for them.
///
/// A byte of the file is '1' from the taking of its slot until there is nothing left of it. Marked and not
/// locked means abandoned: its holder died, and what it left has to be looked after by another one.
///
/// Not thread-safe; make it after fork, the child would share the lock.
class HostSlot {
 public:
  /// Takes `preferred`, after a short wait where it is held, else the lowest free one from `beyond` up.
  /// Reports the latter. Throws Error(kUnavailable) where the file cannot be made or no slot is free.
  HostSlot(std::string path, int preferred, int beyond);
  ~HostSlot() = default;  ///< the lock ends, the mark stays: see leave()
  HostSlot(const HostSlot&) = delete;
  HostSlot& operator=(const HostSlot&) = delete;

  int number() const noexcept { return number_; }

  /// Takes the locks of abandoned slots: those that are marked, and of `more` (slots that are known to have
  /// left something, marked or not) those that nobody holds. Returns the newly taken; they are this process's
  /// to settle.
  std::vector<int> inherit(std::span<const int> more);

  /// Nothing is left of this inherited slot.
  void settle(int slot);

  /// Nothing is left of this process's own slot: nobody need look after it.
  void leave();

  /// Whether this process still holds its slot. Where the side file was removed or moved away the lock
  /// excluded nobody any more: takes it again on a new file. False where another process was first.
  bool keep();

 private:
  void open_file();
  bool try_lock(int slot) const;
  void unlock(int slot) const;
  void mark(int slot, bool is_held) const;
  void take(int preferred, int beyond);
  bool wait_for(int slot) const;

  std::string path_;
  UniqueFd file_;
  int number_ = -1;
  std::set<int> inherited_;  ///< locked, not settled yet
};

}  // namespace gp::spool
