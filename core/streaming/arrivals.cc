#include "core/streaming/arrivals.h"

#include <utility>

#include <sys/socket.h>

namespace gp::streaming {
namespace {

constexpr int kAcceptsPerTurn = 64;

}  // namespace

void Arrivals::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    poller_.watch(fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET);
    const int raw = fd.get();
    pending_.insert_or_assign(raw, Pending{std::move(fd), steady_now() + patience_});
  }
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
