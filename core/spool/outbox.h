#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/project/step.h"

namespace gp::spool {

struct OutboxEntry {
  std::int64_t sequence = 0;  ///< order of appending within the file
  project::Step step;
};

/// What workers of this host produced and PostgreSQL has not confirmed: a table in the host's SQLite spool
/// (WAL, synchronous=FULL, IMMEDIATE transactions, a page quota). A step is durable here before anything else
/// is done with it (P3).
///
/// Rows belong to a slot (the worker's number within its master): a worker that replaces a dead one in the
/// same slot finds and ships what that one left. Thread-safe (one connection behind a mutex). Make it after
/// fork. The file survives damage: one that is corrupt, of a foreign schema, or unlinked is set aside as
/// "<path>.corrupt-<time>", reported, and made anew.
class Outbox {
 public:
  /// Opens or makes the spool, and its folder. Throws Error(kUnavailable) where neither is possible.
  Outbox(const std::string& path, int slot);
  ~Outbox();

  /// A UUID made with the file: the host's identity among all hosts that share the database.
  const std::string& spool_id() const;

  /// Stores one step durably. Throws Error(kTooLarge) where the quota or the disk is full,
  /// Error(kUnavailable) otherwise.
  void append(const project::Step& step);

  /// The oldest `limit` entries of this slot, in order of appending.
  std::vector<OutboxEntry> pending(int limit);

  /// Removes entries that PostgreSQL has confirmed, or that were fenced off.
  void remove(std::span<const std::int64_t> sequences);

  /// Gives this slot the rows of slots from `first_unused_slot` up, left by a pool that was larger.
  void adopt_from(int first_unused_slot);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::spool
