#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/runlog/run_queue.h"
#include "core/spool/host_slot.h"
#include "core/spool/outbox.h"

namespace gp::generation {

/// Whom leases of a worker of this host are held by: "<spool id>/<slot>".
std::string owner_name(const std::string& spool_id, int slot);

/// What dead workers of this host have left, and this one looks after. First their entries of the outbox are
/// shipped, under the leases they were written with; then these leases are ended, so that any worker can take
/// the runs over at once (they stay running, and their takes are used up). Not longer than a lease: then they
/// are over anyway, and what is not shipped yet - somebody has locked a project, or the spool takes no
/// writing - keeps this worker from its own work no more. Entries that it could not take over are found
/// again. The worker's main thread only; everything given outlives it.
class Estates {
 public:
  /// `lease` as in the settings.
  Estates(spool::HostSlot& slot, spool::Outbox& outbox, runlog::RunQueue& queue, std::chrono::seconds lease);

  /// Takes the slots that nobody holds any more. At the first call that of this worker's former self is one
  /// of them, in any case.
  void find();

  /// Does for each what can be done now. True where it has moved entries, which the shipper has to hear of.
  /// Throws Error(kUnavailable) where PostgreSQL is away. A spool that is of no use now is reported.
  bool settle();

  bool empty() const noexcept { return estates_.empty(); }

 private:
  struct Estate {
    int slot = 0;
    std::optional<std::int64_t> last;  ///< its newest entry, once they are this worker's; 0: it had none
    SteadyTime found = steady_now();
  };

  bool adopt(Estate& estate);
  bool is_shipped(const Estate& estate);
  bool has_expired(const Estate& estate) const;
  void end_leases(const Estate& estate);
  std::vector<int> slots_with_entries();

  spool::HostSlot& slot_;
  spool::Outbox& outbox_;
  runlog::RunQueue& queue_;
  std::chrono::seconds lease_;
  std::vector<Estate> estates_;
};

}  // namespace gp::generation
