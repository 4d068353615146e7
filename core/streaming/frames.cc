#include "core/streaming/frames.h"

#include "core/fcgi/records.h"
#include "core/http/sse.h"

namespace gp::streaming {

Frames::Frames(std::span<const runlog::StoredEvent> events) {
  if (events.empty()) return;
  first_id_ = events.front().id;
  ends_.reserve(events.size());
  for (const runlog::StoredEvent& event : events) {
    fcgi::append_stdout(bytes_, http::sse::event(event.id, event.type, event.data));
    ends_.push_back(bytes_.size());
  }
}

/// Where in bytes_ the events beyond `cursor` begin.
std::size_t Frames::begin_of(std::int64_t cursor) const {
  const auto passed = static_cast<std::size_t>(cursor - first_id_ + 1);
  return passed == 0 ? 0 : ends_[passed - 1];
}

std::string_view Frames::after(std::int64_t cursor) const {
  if (empty() || cursor >= last_id() || cursor < first_id_ - 1) return {};
  return std::string_view(bytes_).substr(begin_of(cursor));
}

Frames::Cut Frames::cut(std::int64_t cursor, std::size_t least, std::size_t most) const {
  Cut cut{0, cursor};
  if (after(cursor).empty()) return cut;
  const std::size_t begin = begin_of(cursor);
  for (std::int64_t id = cursor + 1; id <= last_id(); ++id) {
    const std::size_t end = ends_[static_cast<std::size_t>(id - first_id_)] - begin;
    if (end > most && cut.bytes >= least) break;
    cut = {end, id};
  }
  return cut;
}

}  // namespace gp::streaming
