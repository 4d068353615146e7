#include "core/runlog/document_memory.h"

#include <iterator>
#include <utility>

namespace gp::runlog {
namespace {

constexpr std::size_t kOverhead = 512;  ///< of an entry, beside its texts: about

}  // namespace

std::size_t DocumentMemory::bytes_of(const Place& place) {
  return kOverhead + place.project_id.str().size() + place.entry.document.text.size();
}

const DocumentMemory::Entry* DocumentMemory::find(const ProjectId& project_id) {
  const auto found = index_.find(project_id);
  if (found == index_.end()) return nullptr;
  places_.splice(places_.begin(), places_, found->second);
  return &found->second->entry;
}

void DocumentMemory::keep(const ProjectId& project_id, Entry entry) {
  forget(project_id);
  places_.push_front({project_id, std::move(entry)});
  index_.emplace(project_id, places_.begin());
  bytes_ += bytes_of(places_.front());
  while (bytes_ > max_bytes_ && !places_.empty()) remove(std::prev(places_.end()));
}

void DocumentMemory::forget(const ProjectId& project_id) {
  const auto found = index_.find(project_id);
  if (found != index_.end()) remove(found->second);
}

void DocumentMemory::clear() {
  places_.clear();
  index_.clear();
  bytes_ = 0;
}

void DocumentMemory::remove(Places::iterator place) {
  bytes_ -= bytes_of(*place);
  index_.erase(place->project_id);
  places_.erase(place);
}

}  // namespace gp::runlog
