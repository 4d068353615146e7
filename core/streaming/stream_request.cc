#include "core/streaming/stream_request.h"

#include <algorithm>
#include <charconv>

namespace gp::streaming {
namespace {

std::optional<std::int64_t> parse_cursor(const std::string& text) {
  std::int64_t cursor = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (fault == std::errc::result_out_of_range && text.find_first_not_of("0123456789") == std::string::npos) {
    return kCursorMax;
  }
  cursor = std::min(cursor, kCursorMax);
  if (fault != std::errc{} || end != text.data() + text.size() || cursor < 0) return std::nullopt;
  return cursor;
}

}  // namespace

std::optional<std::string> given_cursor(const http::Request& request) {
  if (const auto header = request.header("last-event-id")) return std::string(*header);
  for (const char* name : {"after", "last_event_id", "lastEventId", "starting_after"}) {
    if (auto value = request.query_value(name)) return value;
  }
  return std::nullopt;
}

std::variant<StreamRequest, http::Problem> parse_stream_request(const http::Request& request) {
  if (request.path != "/events/stream") return http::not_found();
  const auto text = request.query_value("run_id");
  if (!text || text->empty()) {
    return http::Problem{
        400, "invalid_request", "The query parameter run_id is missing.", {{"run_id", "is missing"}}};
  }
  const auto run_id = parse_run_id(*text);
  if (!run_id)
    return http::Problem{400, "invalid_request", "run_id is not a UUID.", {{"run_id", "must be a UUID"}}};
  StreamRequest parsed{*run_id, 0, {}};
  if (const auto given = given_cursor(request); given && !given->empty()) {
    const auto cursor = parse_cursor(*given);
    if (!cursor) parsed.note = "the last event id is not a number: replaying from the start";
    parsed.cursor = cursor.value_or(0);
  }
  return parsed;
}

}  // namespace gp::streaming
