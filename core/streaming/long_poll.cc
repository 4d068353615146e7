#include "core/streaming/long_poll.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/streaming/stream_request.h"

namespace gp::streaming {
namespace {

using Standing = runlog::RunTail::Standing;

constexpr std::int64_t kLongestWaitSeconds = 60;  ///< below the idle limits of usual proxies' requests

std::optional<std::int64_t> whole_number(const std::string& text, std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_good =
      fault == std::errc{} && end == text.data() + text.size() && number >= 0 && number <= most;
  return is_good ? std::optional(number) : std::nullopt;
}

/// The events are JSON already, byte for byte as they were written.
http::Response respond(const RunId& run_id, const std::string& events, std::int64_t last_id, bool is_ended,
                       bool has_more) {
  return http::json_response(
      200, fmt::format(R"({{"run_id":"{}","events":[{}],"last_event_id":{},"ended":{},"has_more":{}}})",
                       run_id.str(), events, last_id, is_ended, has_more));
}

}  // namespace

std::variant<PollRequest, http::Problem> parse_poll_request(const http::Request& request) {
  PollRequest parsed;
  std::vector<Fault> faults;
  if (auto run_id = parse_run_id(request.query_value("run_id").value_or("")))
    parsed.run_id = std::move(*run_id);
  else
    faults.push_back({"run_id", request.query_value("run_id") ? "must be a UUID" : "is missing"});
  const auto read = [&](const char* name, const std::optional<std::string>& text, std::int64_t most) {
    if (!text || text->empty()) return std::int64_t{0};
    const auto number = whole_number(*text, most);
    if (!number) faults.push_back({name, fmt::format("must be a whole number from 0 to {}", most)});
    return number.value_or(0);
  };
  const auto after = request.query_value("after");
  parsed.after = read("after", after ? after : given_cursor(request), kCursorMax);
  parsed.wait = std::chrono::seconds(read("wait", request.query_value("wait"), kLongestWaitSeconds));
  if (faults.empty()) return parsed;
  return http::Problem{400, "invalid_request",
                       "Some query parameters are missing or not allowed; errors names them all.",
                       std::move(faults)};
}

bool is_poll_answered(std::int64_t after, const TailAnswer& answer) {
  if (after < answer.end()) return true;
  return answer.is_authoritative() &&
         (answer.tail.standing != Standing::kOpen || after > answer.tail.last_id);
}

http::Response poll_response(std::int64_t after, const TailAnswer& answer) {
  const bool is_authoritative = answer.is_authoritative();
  std::string events;
  std::int64_t last_id = is_authoritative ? std::min(after, answer.tail.last_id) : after;
  for (const runlog::StoredEvent& event : answer.tail.events) {
    if (event.id <= after) continue;
    if (!events.empty()) events += ',';
    events += fmt::format(R"({{"id":{},"event":"{}","data":{}}})", event.id, event.type, event.data);
    last_id = event.id;
  }
  const bool has_more = is_authoritative && last_id < answer.tail.last_id;
  const bool is_ended = is_authoritative && !has_more && answer.tail.standing == Standing::kEnded;
  return respond(answer.asked.run_id, events, last_id, is_ended, has_more);
}

http::Response empty_poll_response(const RunId& run_id, std::int64_t after) {
  return respond(run_id, "", after, false, false);
}

}  // namespace gp::streaming
