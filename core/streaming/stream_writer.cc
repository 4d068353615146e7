#include "core/streaming/stream_writer.h"

#include <utility>

#include <fmt/format.h>

#include "core/base/metrics.h"
#include "core/fcgi/exchange.h"
#include "core/fcgi/records.h"
#include "core/http/sse.h"

namespace gp::streaming {
namespace {

using Phase = Stream::Phase;
using std::chrono::milliseconds;

// The browser's wait before it reconnects: spread, so that they do not all come at once.
constexpr milliseconds kRetryMin{2000};
constexpr milliseconds kRetryMax{4000};
constexpr std::string_view kMethods = "GET, HEAD, OPTIONS";

http::Response stream_header() {
  return {200,
          {{"Content-Type", "text/event-stream; charset=utf-8"},
           {"Cache-Control", "no-store, no-transform"},  // a proxy that compresses would hold events back
           {"X-Accel-Buffering", "no"}},
          {}};
}

/// The header of a response whose length is not known: a Content-Length would make nginx wait for the rest of
/// a cut stream.
std::string render_header(const http::Response& response) {
  std::string text = fmt::format("Status: {} {}\r\n", response.status, http::reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "\r\n";
}

}  // namespace

std::string as_record(std::string_view bytes) {
  std::string record;
  fcgi::append_stdout(record, bytes);
  return record;
}

StreamOptions stream_options(const Config& config) {
  StreamOptions options;
  options.keepalive = config.sse_keepalive_s;
  options.max_age = config.sse_max_age_s;
  options.stall = config.sse_stall_s;
  options.max_streams = static_cast<std::size_t>(config.sse_max_streams);
  options.buffer_bytes = static_cast<std::size_t>(config.sse_buffer_bytes);
  options.allowed_origins = config.cors_allowed_origins;
  return options;
}

StreamWriter::StreamWriter(const StreamOptions& options, const Poller& poller)
    : options_(options),
      poller_(poller),
      cors_(options.allowed_origins, std::string(kMethods)),
      keepalive_(as_record(http::sse::comment("ka"))) {}

// Answers
// -------------------------------------------------------------------------------------------------------------

void StreamWriter::complete(const http::Request& request, http::Response& response) const {
  cors_.apply(request, response);
  response.with("X-Request-ID", request.request_id);
}

void StreamWriter::answer(Stream& stream, http::Response response) {
  const auto question = std::move(stream.question);
  complete(question->request, response);
  metrics::count_answer(response.status);
  send(stream, as_record(fcgi::render_response(response, question->request.method == "HEAD")));
  end(stream);
}

void StreamWriter::refuse(Stream& stream, const http::Problem& problem) {
  answer(stream, http::to_response(problem, stream.question->request.request_id));
}

void StreamWriter::answer_preflight(Stream& stream) {
  answer(stream, cors_.preflight(stream.question->request));
}

void StreamWriter::refuse_method(Stream& stream) {
  answer(stream, http::to_response(http::method_not_allowed(), stream.question->request.request_id)
                     .with("Allow", std::string(kMethods)));
}

void StreamWriter::begin(Stream& stream, std::string_view note) {
  const auto question = std::move(stream.question);
  http::Response header = stream_header();
  complete(question->request, header);
  std::string bytes = render_header(header);
  const bool is_head = question->request.method == "HEAD";
  if (note.empty()) note = question->note.empty() ? std::string_view("stream begins") : question->note;
  if (!is_head) bytes += retry_line() + http::sse::comment(note);
  stream.phase = Phase::kLive;
  metrics::count(metrics::Counter::kStreamsOpened);
  metrics::count_answer(header.status);
  send(stream, as_record(bytes));
  if (is_head) end(stream);
}

/// A stream begins with it, so that one which ends before it had an event has told its client as well when to
/// come back.
std::string StreamWriter::retry_line() {
  std::uniform_int_distribution<milliseconds::rep> spread(kRetryMin.count(), kRetryMax.count());
  return http::sse::retry(milliseconds(spread(random_)));
}

// Events
// --------------------------------------------------------------------------------------------------------------

void StreamWriter::send_events(Stream& stream, const Frames& frames) {
  if (frames.after(stream.cursor).empty()) return;
  stream.next_keepalive = steady_now() + options_.keepalive;
  const std::int64_t taken = stream.take(frames, options_.buffer_bytes);
  if (stream.is_lagging) metrics::count(metrics::Counter::kStreamBuffersDropped);
  metrics::count(metrics::Counter::kEventsDelivered, static_cast<std::uint64_t>(taken));
  watch(stream);
}

void StreamWriter::comment(Stream& stream, std::string_view text) {
  if (!stream.is_behind()) send(stream, as_record(http::sse::comment(text)));
}

void StreamWriter::keep_alive(Stream& stream) {
  stream.next_keepalive = steady_now() + options_.keepalive;
  if (!stream.is_behind()) send(stream, keepalive_);
}

// Bytes
// ---------------------------------------------------------------------------------------------------------------

void StreamWriter::send(Stream& stream, std::string_view bytes) {
  stream.send(bytes);
  watch(stream);
}

/// Only a stream that is behind is watched for room in its socket: else every event that a client takes would
/// wake the loop once more.
void StreamWriter::watch(Stream& stream) const {
  if (stream.phase == Phase::kDead || stream.is_output_watched == stream.is_behind()) return;
  stream.is_output_watched = stream.is_behind();
  poller_.watch(stream.fd.get(), EPOLLRDHUP | EPOLLET | (stream.is_output_watched ? EPOLLOUT : 0u));
}

void StreamWriter::flush(Stream& stream) {
  if (!stream.is_behind() || !stream.flush()) return;
  watch(stream);
  if (!stream.is_behind() && stream.phase == Phase::kEnding) stream.phase = Phase::kDead;
}

void StreamWriter::end(Stream& stream) {
  std::string bytes;
  fcgi::append_end(bytes);
  send(stream, bytes);
  if (stream.phase == Phase::kDead) return;
  stream.phase = stream.is_behind() ? Phase::kEnding : Phase::kDead;
}

}  // namespace gp::streaming
