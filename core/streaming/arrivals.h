#pragma once

#include <chrono>
#include <optional>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/fcgi/exchange.h"
#include "core/streaming/poller.h"

namespace gp::streaming {

/// Connections that nginx has opened and whose request has not arrived in full. libfcgi is called only when
/// it will not have to wait, so a silent peer costs its own descriptor and nothing else. The event loop's
/// thread only.
class Arrivals {
 public:
  /// A connection without a whole request is closed after `patience`.
  Arrivals(const Poller& poller, int listen_fd, std::chrono::milliseconds patience)
      : poller_(poller), listen_fd_(listen_fd), patience_(patience) {}

  /// Accepts what waits, but so few at a time that a burst of clients does not keep the others waiting.
  void accept_some();

  bool contains(int fd) const { return pending_.contains(fd); }

  /// The request of `fd`, once it is there; the connection is no longer an arrival then. Nothing where more
  /// must come, or where it was no request and the connection has been closed.
  std::optional<fcgi::Detached> read(int fd);

  void drop_late(SteadyTime now);

 private:
  struct Pending {
    UniqueFd fd;
    SteadyTime deadline;
  };

  const Poller& poller_;
  int listen_fd_;
  std::chrono::milliseconds patience_;
  std::unordered_map<int, Pending> pending_;
};

}  // namespace gp::streaming
