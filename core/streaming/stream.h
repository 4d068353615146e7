#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/http/request.h"
#include "core/streaming/frames.h"

namespace gp::streaming {

struct Channel;

/// What a client has asked for and is not answered yet.
struct Question {
  http::Request request;
  bool is_poll = false;  ///< GET /events: one JSON answer instead of a stream
  std::string note;      ///< a comment to send after the header
  SteadyTime since;
  SteadyTime answer_by;         ///< a poll is answered then, events or not
  bool has_been_asked = false;  ///< a poll: all there is had nothing for it when it came, or later
};

/// One connection of a client: its descriptor, its cursor, and bytes that the socket has not taken yet - only
/// while the client is behind. Owned by the server, listed in its run's channel. The event loop's thread
/// only.
struct Stream {
  enum class Phase : std::uint8_t {
    kOpening,  ///< what this run is, is not known yet: no header is sent. A poll stays so until it is
               ///< answered
    kLive,     ///< the header is sent; events follow
    kEnding,   ///< the end of the response is sent or waits in `pending`; then the connection is closed
    kDead,     ///< the peer has gone or an error came up: to be removed
  };

  UniqueFd fd;
  Phase phase = Phase::kOpening;
  bool is_lagging = false;  ///< events were left out: it goes on from the log when the socket has drained
  bool is_cursor_confirmed = false;    ///< there is an event `cursor`; else it is only what the client says
  bool is_output_watched = false;      ///< the poller tells when the socket takes bytes again
  std::uint16_t peer = 0;              ///< the process at the other end, by its number (Peers)
  Channel* channel = nullptr;          ///< its run; the channel outlives its streams
  std::uint32_t place = 0;             ///< where the channel lists it
  std::int64_t cursor = 0;             ///< the last event that was sent or waits in `pending`
  std::uint64_t reads_before = 0;      ///< how many reads of the log had begun when it came
  std::string pending;                 ///< FastCGI bytes that the socket has not taken
  std::unique_ptr<Question> question;  ///< until it is answered by a header
  SteadyTime next_keepalive;
  SteadyTime ask_log_at = SteadyTime::max();  ///< the log is asked then: the replay cache has not answered
  SteadyTime ends;                            ///< rotation: the client comes back by itself
  SteadyTime progressed;                      ///< when the socket last took bytes, or last had none to take

  bool is_poll() const noexcept { return question != nullptr && question->is_poll; }
  bool is_behind() const noexcept { return !pending.empty(); }

  /// Sends what the socket takes and keeps the rest. False where the peer has gone (phase becomes kDead).
  bool send(std::string_view bytes);

  /// Takes the events of `frames` beyond its cursor, which moves on: the socket takes what it can, and
  /// `pending` as many whole events as `buffer_bytes` hold (one it takes in any case where nothing else
  /// waits). Where some do not fit, is_lagging is set, and something waits: the stream goes on when that is
  /// sent. Returns how many were taken.
  std::int64_t take(const Frames& frames, std::size_t buffer_bytes);

  /// Sends more of `pending`. False where the peer has gone.
  bool flush();
};

}  // namespace gp::streaming
