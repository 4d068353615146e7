#include "core/generation/pool_doorbell.h"

#include <utility>

namespace gp::generation {

PoolDoorbell::PoolDoorbell(Secret database_url, const WorkerSlot& slot)
    : url_(std::move(database_url)), line_(slot.line_in), is_alone_(slot.slot == 0) {
  if (slot.slot == 0) own_.emplace(url_, slot.line_out);
}

runlog::Doorbell& PoolDoorbell::own() {
  if (!own_) own_.emplace(url_);
  return *own_;
}

void PoolDoorbell::ring(std::span<const RunId> runs) {
  const std::size_t taken = is_alone_ ? 0 : line_.ring(runs);
  if (taken < runs.size()) own().ring(runs.subspan(taken));
}

}  // namespace gp::generation
