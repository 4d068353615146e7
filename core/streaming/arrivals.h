#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/fcgi/exchange.h"
#include "core/streaming/poller.h"

namespace gp::streaming {

/// Connections that nginx has opened and whose request has not arrived in full. libfcgi is called only when
/// it will not have to wait, so a silent peer costs its own descriptor and nothing else. A process without
/// room leaves what comes to the others of its pool, which may have some, and only looks now and then: what
/// waits at one look and the next is taken by nobody, and is accepted to be refused. The event loop's thread
/// only.
class Arrivals {
 public:
  /// A connection without a whole request is closed after `patience`.
  Arrivals(const Poller& poller, int listen_fd, std::chrono::milliseconds patience)
      : poller_(poller), listen_fd_(listen_fd), patience_(patience) {}

  /// The listening socket, which the poller watches, is readable. Accepts what waits, for `room` more streams
  /// at most (without room: to be refused), but so few at a time that a burst of clients does not keep the
  /// others waiting. When there is no more room, the poller is told to leave the socket alone.
  void accept_some(std::size_t room);

  /// Has the socket watched again where there is room now, or where nobody takes what waits. To be called in
  /// every turn of the loop, and every kLook where is_resting().
  void look(std::size_t room);
  bool is_resting() const noexcept { return is_resting_; }
  static constexpr std::chrono::milliseconds kLook{60};

  bool contains(int fd) const { return pending_.contains(fd); }
  std::size_t size() const noexcept { return pending_.size(); }
  std::vector<int> fds() const;

  /// The request of `fd`, once it is there; the connection is no longer an arrival then. Nothing where more
  /// must come, or where it was no request and the connection has been closed.
  std::optional<fcgi::Detached> read(int fd);

  void drop_late(SteadyTime now);

 private:
  struct Pending {
    UniqueFd fd;
    SteadyTime deadline;
  };

  bool accept_one();
  void rest();
  void take_again();

  const Poller& poller_;
  int listen_fd_;
  std::chrono::milliseconds patience_;
  std::unordered_map<int, Pending> pending_;
  bool is_resting_ = false;
  bool has_waited_ = false;  ///< somebody, at the last look
  SteadyTime next_look_;
};

}  // namespace gp::streaming
