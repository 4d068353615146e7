#include "core/streaming/lanes.h"

#include <algorithm>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace gp::streaming {

/// Of a unix socket this is what the peer has not read.
bool Lane::has_unread(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void Lane::set_mark(int fd) {
  since_mark_ = 0;
  marks_.push_back({fd, steady_now()});
}

void Lane::forget_read_marks(const StreamTable& streams) {
  const auto is_read = [&](const Mark& mark) {
    return streams.find(mark.fd) == nullptr || !has_unread(mark.fd);
  };
  // Read in order: whatever is older than one that is read has been read, or belongs to a client that reads
  // nothing.
  const auto newest_read = std::find_if(marks_.rbegin(), marks_.rend(), is_read);
  marks_.erase(marks_.begin(), newest_read.base());
  if (!marks_.empty() && steady_now() - marks_.front().set > kPatience) marks_.pop_front();
}

bool Lane::is_ahead(const StreamTable& streams) {
  if (marks_.size() < most_marks_) return false;
  forget_read_marks(streams);
  if (marks_.size() >= most_marks_) return true;
  most_marks_ = std::min(2 * most_marks_, kMarks);
  return false;
}

bool Lane::has_caught_up(const StreamTable& streams) {
  forget_read_marks(streams);
  return marks_.size() <= kFewMarks;
}

pid_t peer_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

std::uint16_t Lanes::join(pid_t peer) {
  auto found = std::ranges::find(lanes_, peer, &Entry::peer);
  if (found == lanes_.end()) found = std::ranges::find(lanes_, 0u, &Entry::streams);
  if (found == lanes_.end()) found = lanes_.emplace(lanes_.end());
  if (found->peer != peer) *found = {peer, 0, {}};
  ++found->streams;
  return static_cast<std::uint16_t>(found - lanes_.begin());
}

std::size_t Lanes::in_use() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(lanes_, [](const Entry& entry) { return entry.streams > 0; }));
}

}  // namespace gp::streaming
