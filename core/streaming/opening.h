#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/http/problem.h"
#include "core/streaming/news.h"

namespace gp::streaming {

// What an answer of the log, or of the replay cache, means for a client that is not answered yet. Pure.

/// Nothing can be said yet: the answer does not cover the client, or only the log can tell.
struct KeepWaiting {};
/// The client has the run's last event already: 204, and an EventSource stops.
struct NothingLeft {};
/// The stream begins at `cursor`, with `note` as its first comment where it is not empty.
struct Begin {
  std::int64_t cursor = 0;
  std::string note;
};
using Opening = std::variant<KeepWaiting, NothingLeft, Begin, http::Problem>;

/// For a stream that has seen the events up to `cursor` and came when `reads_before` reads of the log had
/// begun. What is older than the stream can only give it events.
Opening open_stream(std::int64_t cursor, std::uint64_t reads_before, const TailAnswer& answer);

/// The first comment of a stream that begins at the end because its cursor lay beyond.
inline constexpr const char* kBeyondTheEnd = "the last event id is beyond the end: going on from the end";

/// The problem that `answer` is for anybody who asks for its run: 404 or 410; code empty where it is none.
http::Problem problem_of(const TailAnswer& answer);

}  // namespace gp::streaming
