#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/project/step.h"
#include "core/spool/cached_event.h"

namespace gp::spool {

struct OutboxEntry {
  std::int64_t sequence = 0;  ///< order of appending; never means another entry of this host
  project::Step step;
};

/// What workers of this host produced and PostgreSQL has not confirmed: a table in the host's SQLite spool
/// (WAL, synchronous=FULL, IMMEDIATE transactions, a quota). A step is durable here before anything else is
/// done with it (P3); once confirmed its event stays for replay (ReplayCache) until the room is needed.
///
/// Rows belong to a slot (the worker's number on this host, see HostSlot): a worker that replaces a dead one
/// in the same slot finds and ships what that one left. Make it after fork. What happens to the file is
/// SpoolFile's; unconfirmed steps that can still be read of one that is damaged, unlinked or replaced go on
/// in the new one.
///
/// Thread-safe: one connection, which the threads use in turn. Each call waits for the others 5 s at most
/// (slots() and tidy() 0.2 s), then throws Error(kUnavailable); so does each where the spool is of no use.
class Outbox {
 public:
  /// Opens or makes the spool, and its folder. `max_bytes` is SPOOL_MAX_BYTES. Where neither is possible - a
  /// full disk - that is reported, and each use tries again.
  Outbox(const std::string& path, int slot, std::int64_t max_bytes = 536870912);
  ~Outbox();

  /// A UUID made with the file: the host's identity among all hosts that share the database. Once known
  /// always the same; nothing, which is reported, while the spool is of no use.
  std::optional<std::string> find_spool_id() const;

  /// Stores one step durably; at the quota the oldest confirmed events go. Throws Error(kTooLarge) where
  /// unconfirmed steps alone fill it or the disk is full, Error(kUnavailable) otherwise.
  void append(const project::Step& step);

  /// What pending() passes over.
  struct Beside {
    std::vector<std::string> runs;
    std::vector<std::int64_t> sequences;
  };

  /// The oldest `limit` entries of this slot, in order of appending.
  std::vector<OutboxEntry> pending(int limit, const Beside& beside);
  std::vector<OutboxEntry> pending(int limit) { return pending(limit, {}); }

  /// PostgreSQL has these entries: in one transaction they leave the outbox and their events become part of
  /// the replay cache. Where there is no room for that they leave all the same.
  void confirm(std::span<const std::int64_t> sequences);

  /// The confirmed events of `run_id` after the id `after` that this host has, ids without gap (see
  /// ReplayCache, whose table it is): what a log that has lost them can be given again.
  std::vector<CachedEvent> confirmed(const RunId& run_id, std::int64_t after);

  /// Removes every confirmed event of `run_id`: the log has others by now.
  void forget_confirmed(const RunId& run_id);

  /// What PostgreSQL has not confirmed of `run_id` after the id `after`, written under the lease `token`, by
  /// whichever slot, or refused and not forgotten yet: ids without gap.
  std::vector<project::Step> unconfirmed(const RunId& run_id, const LeaseToken& token, std::int64_t after);

  /// These entries were fenced off: their events do not exist, and no slot has them any more. They stay until
  /// they are forgotten, for a worker of this host that has just claimed the run and is about to ask for
  /// unconfirmed(). Where there is no room for that they go at once; on a full disk too, as long as there is
  /// ballast. `now` is kept in seconds.
  void refuse(std::span<const std::int64_t> sequences, WallTime now);

  /// Removes what was refused, by whichever worker, before `then`, and tests writing (SpoolFile).
  void tidy(WallTime then);

  /// The slots that have entries, this one or any other, in order.
  std::vector<int> slots();

  /// Gives this slot the entries of `slot`, whose holder is gone (HostSlot). They keep their order. Returns
  /// the sequence of the newest entry that this slot has now; 0: it has none. `slot` may be this one: then it
  /// only reads.
  std::int64_t adopt(int slot);

 private:
  struct Impl;
  class Turn;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::spool
