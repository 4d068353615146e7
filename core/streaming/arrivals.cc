#include "core/streaming/arrivals.h"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace gp::streaming {
namespace {

constexpr std::size_t kAcceptsPerTurn = 64;

}  // namespace

void Arrivals::accept_some(std::size_t room) {
  const std::size_t most = room == 0 ? kAcceptsPerTurn : std::min(room, kAcceptsPerTurn);
  std::size_t accepted = 0;
  while (accepted < most && accept_one()) ++accepted;
  const bool is_done = room == 0 ? accepted < most : accepted == room;
  if (is_done) rest();
}

bool Arrivals::accept_one() {
  UniqueFd fd(::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return false;
  poller_.watch(fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET);
  const int raw = fd.get();
  pending_.insert_or_assign(raw, Pending{std::move(fd), steady_now() + patience_});
  return true;
}

void Arrivals::rest() {
  poller_.unwatch(listen_fd_);
  is_resting_ = true;
  has_waited_ = false;
  next_look_ = steady_now() + kLook;
}

void Arrivals::take_again() {
  poller_.watch(listen_fd_, EPOLLIN);
  is_resting_ = false;
}

void Arrivals::look(std::size_t room) {
  if (!is_resting_) return;
  if (room > 0) return take_again();
  const SteadyTime now = steady_now();
  if (now < next_look_) return;
  next_look_ = now + kLook;
  pollfd door{listen_fd_, POLLIN, 0};
  const bool is_waiting = ::poll(&door, 1, 0) > 0;
  if (is_waiting && has_waited_) return take_again();
  has_waited_ = is_waiting;
}

std::vector<int> Arrivals::fds() const {
  std::vector<int> fds;
  for (const auto& [fd, pending] : pending_) fds.push_back(fd);
  return fds;
}

std::optional<fcgi::Detached> Arrivals::read(int fd) {
  const auto arrival = fcgi::peek_request(fd);
  if (arrival == fcgi::Arrival::kIncomplete) return std::nullopt;
  UniqueFd owned = std::move(pending_.at(fd).fd);
  pending_.erase(fd);
  if (arrival == fcgi::Arrival::kBad) return std::nullopt;
  return fcgi::detach_request(std::move(owned));
}

void Arrivals::drop_late(SteadyTime now) {
  std::erase_if(pending_, [now](const auto& entry) { return entry.second.deadline <= now; });
}

}  // namespace gp::streaming
