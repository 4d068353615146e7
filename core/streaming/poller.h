#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include <sys/epoll.h>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace gp::streaming {

/// epoll(7) by descriptor number. A closed descriptor leaves it by itself. One thread.
class Poller {
 public:
  /// Throws Error(kUnavailable) where the kernel has no descriptor left.
  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw Error(ErrorKind::kUnavailable, "cannot make an epoll descriptor");
  }

  /// Watches `fd` for `events` (EPOLLIN ...), or changes what it is watched for.
  void watch(int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  }

  void unwatch(int fd) const { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  /// Waits up to `timeout` and returns the filled part of `events`; empty where nothing came.
  std::span<const epoll_event> wait(std::span<epoll_event> events, std::chrono::milliseconds timeout) const {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(timeout.count()));
    return events.first(count > 0 ? static_cast<std::size_t>(count) : 0);
  }

 private:
  UniqueFd epoll_;
};

}  // namespace gp::streaming
