#include "core/streaming/peers.h"

#include <algorithm>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace gp::streaming {

/// Of a unix socket this is what the other end has not read.
bool Peer::has_unread(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void Peer::set_mark(int fd) {
  since_mark_ = 0;
  marks_.push_back({fd, steady_now()});
}

void Peer::forget_read_marks(const StreamTable& streams) {
  const auto is_read = [&](const Mark& mark) {
    return streams.find(mark.fd) == nullptr || !has_unread(mark.fd);
  };
  // Read in order: whatever is older than one that is read has been read, or belongs to a client that reads
  // nothing.
  const auto newest_read = std::find_if(marks_.rbegin(), marks_.rend(), is_read);
  marks_.erase(marks_.begin(), newest_read.base());
  if (!marks_.empty() && steady_now() - marks_.front().set > kPatience) marks_.pop_front();
}

bool Peer::has_enough(const StreamTable& streams) {
  if (marks_.size() < most_marks_) return false;
  forget_read_marks(streams);
  if (marks_.size() >= most_marks_) return true;
  most_marks_ = std::min(2 * most_marks_, kMarks);
  return false;
}

bool Peer::has_caught_up(const StreamTable& streams) {
  forget_read_marks(streams);
  return marks_.size() <= kFewMarks;
}

pid_t pid_of_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

std::uint16_t Peers::join(pid_t pid) {
  auto found = std::ranges::find(peers_, pid, &Entry::pid);
  if (found == peers_.end()) found = std::ranges::find(peers_, 0u, &Entry::streams);
  if (found == peers_.end()) found = peers_.emplace(peers_.end());
  if (found->pid != pid) *found = {pid, 0, {}};
  ++found->streams;
  return static_cast<std::uint16_t>(found - peers_.begin());
}

std::size_t Peers::in_use() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(peers_, [](const Entry& entry) { return entry.streams > 0; }));
}

}  // namespace gp::streaming
