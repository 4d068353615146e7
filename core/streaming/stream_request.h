#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/base/ids.h"
#include "core/http/problem.h"
#include "core/http/request.h"

namespace gp::streaming {

/// What a client asks of GET /events/stream.
struct StreamRequest {
  RunId run_id;
  std::int64_t cursor = 0;  ///< the last event it has seen; may lie beyond the end
  std::string note;         ///< a comment for the client where its cursor was garbage; empty otherwise
};

/// The largest cursor there can be: what a JavaScript client can count to without a loss (2^53 - 1).
inline constexpr std::int64_t kCursorMax = 9007199254740991;

/// The cursor as the client gave it: the header Last-Event-ID, else the query's after, last_event_id,
/// lastEventId or starting_after.
std::optional<std::string> given_cursor(const http::Request& request);

/// Reads run_id and the cursor. A cursor that is no whole number from 0 up replays from the start: refusing
/// would stop an EventSource for ever. The problem is 404 for another path, 400 for a run_id that is missing
/// or no UUID.
std::variant<StreamRequest, http::Problem> parse_stream_request(const http::Request& request);

}  // namespace gp::streaming
