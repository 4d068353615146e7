#include "core/generation/estates.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/base/report.h"

namespace gp::generation {

std::string owner_name(const spool::Outbox& outbox, int slot) {
  return fmt::format("{}/{}", outbox.spool_id(), slot);
}

Estates::Estates(spool::HostSlot& slot, spool::Outbox& outbox, runlog::RunQueue& queue)
    : slot_(slot), outbox_(outbox), queue_(queue), estates_{{slot.number(), std::nullopt}} {}

void Estates::find() {
  for (const int slot : slot_.inherit(slots_with_entries())) {
    report::report(report::SlotInherited{slot});
    estates_.push_back({slot, std::nullopt});
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
  std::erase_if(estates_, [this](const Estate& estate) {
    if (!is_shipped(estate)) return false;
    queue_.release(owner_name(outbox_, estate.slot));
    slot_.settle(estate.slot);
    return true;
  });
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
