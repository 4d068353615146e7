#include "core/streaming/stream.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace gp::streaming {
namespace {

constexpr std::size_t kGone = static_cast<std::size_t>(-1);

/// How many bytes the socket took; kGone where the peer has gone.
std::size_t send_some(int fd, std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t took = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took >= 0) {
      sent += static_cast<std::size_t>(took);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return kGone;
    }
  }
  return sent;
}

}  // namespace

bool Stream::send(std::string_view bytes) {
  if (phase == Phase::kDead) return false;
  if (is_behind()) {
    pending += bytes;
    return true;
  }
  const std::size_t sent = send_some(fd.get(), bytes);
  if (sent == kGone) {
    phase = Phase::kDead;
    return false;
  }
  progressed = steady_now();
  pending = bytes.substr(sent);
  return true;
}

std::int64_t Stream::take(const Frames& frames, std::size_t buffer_bytes) {
  const std::string_view bytes = frames.after(cursor);
  if (bytes.empty() || phase == Phase::kDead) return 0;
  const bool was_behind = is_behind();
  const std::size_t sent = was_behind ? 0 : send_some(fd.get(), bytes);
  if (sent == kGone) {
    phase = Phase::kDead;
    return 0;
  }
  if (!was_behind) progressed = steady_now();
  const std::size_t room = buffer_bytes - std::min(buffer_bytes, pending.size());
  const std::size_t least = was_behind ? 0 : sent + 1;  // what is begun, or one event more
  const Frames::Cut cut = frames.cut(cursor, least, sent + room);
  pending += bytes.substr(sent, cut.bytes - std::min(sent, cut.bytes));
  is_lagging = cut.last_id < frames.last_id();
  const std::int64_t taken = cut.last_id - cursor;
  cursor = cut.last_id;
  return taken;
}

bool Stream::flush() {
  const std::size_t sent = send_some(fd.get(), pending);
  if (sent == kGone) {
    phase = Phase::kDead;
    return false;
  }
  if (sent == 0) return true;
  progressed = steady_now();
  pending.erase(0, sent);
  if (pending.empty()) pending.shrink_to_fit();  // memory only while behind
  return true;
}

}  // namespace gp::streaming
