#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/streaming/stream.h"

namespace gp::streaming {

/// All streams of the process, found by descriptor. Descriptors are small numbers, so a look-up is an index.
/// One thread.
class StreamTable {
 public:
  Stream& add(std::unique_ptr<Stream> stream) {
    const auto fd = static_cast<std::size_t>(stream->fd.get());
    if (by_fd_.size() <= fd) by_fd_.resize(fd + 1, kNone);
    by_fd_[fd] = static_cast<std::uint32_t>(listed_.size());
    listed_.push_back(stream.get());
    owned_.push_back(std::move(stream));
    return *listed_.back();
  }

  Stream* find(int fd) const {
    const auto at = static_cast<std::size_t>(fd);
    return at < by_fd_.size() && by_fd_[at] != kNone ? listed_[by_fd_[at]] : nullptr;
  }

  /// Closes and forgets it; the pointers of all() move.
  void remove(int fd) {
    const std::uint32_t place = std::exchange(by_fd_[static_cast<std::size_t>(fd)], kNone);
    if (place + 1 != listed_.size()) {
      listed_[place] = listed_.back();
      owned_[place] = std::move(owned_.back());
      by_fd_[static_cast<std::size_t>(listed_[place]->fd.get())] = place;
    }
    listed_.pop_back();
    owned_.pop_back();
  }

  /// Every stream, in no order. Nothing may be added or removed meanwhile.
  std::span<Stream* const> all() const noexcept { return listed_; }
  std::size_t size() const noexcept { return listed_.size(); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  std::vector<std::uint32_t> by_fd_;  ///< place in the two lists below
  std::vector<Stream*> listed_;
  std::vector<std::unique_ptr<Stream>> owned_;
};

}  // namespace gp::streaming
