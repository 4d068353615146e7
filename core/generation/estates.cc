#include "core/generation/estates.h"

#include <fmt/format.h>

#include "core/base/report.h"

namespace gp::generation {

std::string owner_name(const std::string& spool_id, int slot) { return fmt::format("{}/{}", spool_id, slot); }

Estates::Estates(spool::HostSlot& slot, spool::Outbox& outbox, runlog::RunQueue& queue,
                 std::chrono::seconds lease)
    : slot_(slot),
      outbox_(outbox),
      queue_(queue),
      lease_(lease),
      estates_{{.slot = slot.number(), .last = std::nullopt}} {}

void Estates::find() {
  for (const int slot : slot_.inherit(slots_with_entries())) {
    report::report(report::SlotInherited{slot});
    estates_.push_back({.slot = slot, .last = std::nullopt});
  }
}

/// The marks of HostSlot alone would do, but they are lost with their file.
std::vector<int> Estates::slots_with_entries() {
  try {
    return outbox_.slots();
  } catch (const Error& error) {
    report::report(report::SpoolFailed{error.what()});
    return {};
  }
}

bool Estates::settle() {
  bool has_moved = false;
  for (Estate& estate : estates_) has_moved |= !estate.last && adopt(estate);
  for (auto estate = estates_.begin(); estate != estates_.end();) {
    const bool is_shipped_now = is_shipped(*estate);
    if (!is_shipped_now && !has_expired(*estate)) {
      ++estate;
      continue;
    }
    // Once: under the same name somebody may hold leases anew afterwards.
    if (is_shipped_now) end_leases(*estate);
    slot_.settle(estate->slot);
    estate = estates_.erase(estate);
  }
  return has_moved;
}

bool Estates::adopt(Estate& estate) {
  try {
    estate.last = outbox_.adopt(estate.slot);
    return true;
  } catch (const Error& error) {
    report::report(report::SpoolFailed{error.what()});
    return false;
  }
}

/// Nobody has renewed its leases since. Its entries, where they are this worker's by now, go on being
/// shipped.
bool Estates::has_expired(const Estate& estate) const { return steady_now() - estate.found > lease_; }

void Estates::end_leases(const Estate& estate) {
  if (const auto spool_id = outbox_.find_spool_id()) queue_.end_leases_of(owner_name(*spool_id, estate.slot));
}

/// Entries are shipped in order, so those that this worker has added since need not be waited for.
bool Estates::is_shipped(const Estate& estate) {
  if (!estate.last) return false;
  try {
    const auto oldest = outbox_.pending(1);
    return oldest.empty() || oldest.front().sequence > *estate.last;
  } catch (const Error& error) {
    report::report(report::SpoolFailed{error.what()});
    return false;
  }
}

}  // namespace gp::generation
