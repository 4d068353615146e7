#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/http/request.h"

namespace gp::streaming {

struct Channel;

/// One connection of a client: its descriptor, its cursor, and bytes that the socket has not taken yet - only
/// while the client is behind. Owned by the server, listed in its run's channel. The event loop's thread
/// only.
struct Stream {
  enum class Phase : std::uint8_t {
    kOpening,  ///< the log has not said yet what this run is: no header is sent
    kLive,     ///< the header is sent; events follow
    kEnding,   ///< the end of the response is sent or waits in `pending`; then the connection is closed
    kDead,     ///< the peer has gone or an error came up: to be removed
  };

  UniqueFd fd;
  Phase phase = Phase::kOpening;
  bool needs_retry_line = true;  ///< the first event's block begins with the retry: line
  bool is_lagging = false;     ///< its buffer was full: it continues from the log, from its cursor, when the
                               ///< socket has drained
  Channel* channel = nullptr;  ///< its run; the channel outlives its streams
  std::int64_t cursor = 0;     ///< the last event that was sent or waits in `pending`
  std::string pending;         ///< FastCGI bytes that the socket has not taken
  std::unique_ptr<http::Request> request;  ///< until the header is sent
  std::string note;                        ///< a comment to send after the header
  SteadyTime opened;
  SteadyTime next_keepalive;
  SteadyTime ends;        ///< rotation: the client comes back by itself
  SteadyTime progressed;  ///< when the socket last took bytes, or had none to take

  /// Sends what the socket takes and keeps the rest. False where the peer has gone (phase becomes kDead).
  bool send(std::string_view bytes);
  /// Sends more of `pending`. False where the peer has gone.
  bool flush();
  bool is_behind() const noexcept { return !pending.empty(); }
};

}  // namespace gp::streaming
