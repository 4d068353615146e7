#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/runlog/event_reader.h"

namespace gp::streaming {

/// Consecutive events of one run as the bytes of their frames (server-sent events in FastCGI records),
/// rendered once and shared by every stream that takes them. Immutable.
class Frames {
 public:
  /// Throws Error(kBug) where an event's data has a line break.
  explicit Frames(std::span<const runlog::StoredEvent> events);

  bool empty() const noexcept { return ends_.empty(); }
  std::int64_t last_id() const noexcept { return first_id_ + static_cast<std::int64_t>(ends_.size()) - 1; }

  /// The bytes of every event beyond `cursor`. Nothing where `cursor` is at the end or beyond - or before the
  /// event that the first one follows: those in between are not here.
  std::string_view after(std::int64_t cursor) const;

  /// A beginning of after(cursor) that ends with a whole event.
  struct Cut {
    std::size_t bytes = 0;
    std::int64_t last_id = 0;  ///< the cursor of whoever takes these bytes
  };
  /// As many whole events as `most` bytes hold, but at least those that `least` bytes have a part of.
  Cut cut(std::int64_t cursor, std::size_t least, std::size_t most) const;

 private:
  std::size_t begin_of(std::int64_t cursor) const;

  std::int64_t first_id_ = 0;
  std::string bytes_;
  std::vector<std::size_t> ends_;  ///< ends_[i]: where the frame of event first_id_ + i ends in bytes_
};

}  // namespace gp::streaming
