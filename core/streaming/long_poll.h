#pragma once

#include <chrono>
#include <cstdint>
#include <variant>

#include "core/base/ids.h"
#include "core/http/problem.h"
#include "core/http/request.h"
#include "core/http/response.h"
#include "core/streaming/news.h"

namespace gp::streaming {

/// What a client asks of GET /events: the same events as the stream's, as JSON, for clients without
/// server-sent events.
struct PollRequest {
  RunId run_id;
  std::int64_t after = 0;        ///< the last event it has seen
  std::chrono::seconds wait{0};  ///< how long the answer may wait for an event
};

/// Reads run_id, after (or the header and the names that a stream takes its cursor from) and wait (0-60). The
/// problem is 400 and names every wrong parameter.
std::variant<PollRequest, http::Problem> parse_poll_request(const http::Request& request);

/// 200 {"run_id", "events": [{"id", "event", "data"}], "last_event_id", "ended", "has_more"}: the events of
/// `answer` beyond `after`. last_event_id is what to ask after next (the log's end where `after` lies beyond
/// it); ended: no event will follow (unless a run
/// that ended in error is started again); has_more: ask again at once.
http::Response poll_response(std::int64_t after, const TailAnswer& answer);

/// The same without events, for a client whose time to wait is over.
http::Response empty_poll_response(const RunId& run_id, std::int64_t after);

/// What becomes of a poll at `after` when `answer` has come: true where it is to be answered now. Of the log
/// it is no older than the poll.
bool is_poll_answered(std::int64_t after, const TailAnswer& answer);

}  // namespace gp::streaming
