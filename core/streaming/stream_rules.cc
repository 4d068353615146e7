#include "core/streaming/stream_rules.h"

#include <utility>
#include <variant>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/http/problem.h"
#include "core/streaming/hub.h"
#include "core/streaming/long_poll.h"
#include "core/streaming/opening.h"

namespace gp::streaming {
namespace {

using Phase = Stream::Phase;
using Standing = runlog::RunTail::Standing;

constexpr const char* kUnavailable = "the event log is unavailable; this stream goes on when it is back";
constexpr const char* kStopping = "this process is being stopped: come back";

http::Problem database_away() {
  return http::problem_for(Error(ErrorKind::kUnavailable, "the event log is away"));
}

void drop_stalled(Stream& stream) {
  metrics::count(metrics::Counter::kStreamsStalled);
  report::report(
      report::StreamDropped{stream.channel == nullptr ? "" : stream.channel->run_id->str(), "stalled"});
  stream.phase = Phase::kDead;
}

}  // namespace

void StreamRules::take(Stream& stream, const TailAnswer& answer, Delivery& delivery) {
  if (stream.cursor <= answer.tail.last_id) stream.is_cursor_confirmed = true;
  if (stream.is_poll()) return answer_poll(stream, answer);
  if (stream.phase == Phase::kOpening) open_by(stream, answer);
  if (stream.phase != Phase::kLive) return;
  const bool is_verdict = answer.is_verdict_after(stream.reads_before);
  if (is_verdict && !problem_of(answer).code.empty()) {  // it was opened while the log was away
    writer_.comment(stream, "this run is not known");
    return writer_.end(stream);
  }
  if (stream.is_lagging) return;
  if (is_verdict && !stream.is_cursor_confirmed) go_on_from_end(stream, answer.tail.last_id);
  delivery.give(stream, writer_);
  const bool has_all = is_verdict && stream.cursor >= answer.tail.last_id;
  if (has_all && answer.tail.standing == Standing::kEnded && stream.phase == Phase::kLive)
    writer_.end(stream);
}

/// It was opened on its client's word, which was wrong.
void StreamRules::go_on_from_end(Stream& stream, std::int64_t last_id) {
  stream.cursor = last_id;
  stream.is_cursor_confirmed = true;
  writer_.comment(stream, kBeyondTheEnd);
}

void StreamRules::open_by(Stream& stream, const TailAnswer& answer) {
  const Opening opening = open_stream(stream.cursor, stream.reads_before, answer);
  if (const auto* problem = std::get_if<http::Problem>(&opening)) {
    writer_.refuse(stream, *problem);
  } else if (std::holds_alternative<NothingLeft>(opening)) {
    writer_.answer(stream, {204, {{"Cache-Control", "no-store"}}, {}});
  } else if (const auto* begin = std::get_if<Begin>(&opening)) {
    stream.cursor = begin->cursor;
    stream.is_cursor_confirmed = true;
    writer_.begin(stream, is_log_available_ || answer.is_authoritative() ? begin->note : kUnavailable);
  }
}

void StreamRules::answer_poll(Stream& stream, const TailAnswer& answer) {
  const bool is_verdict = answer.is_verdict_after(stream.reads_before);
  if (answer.is_authoritative() && !is_verdict) return;  // a read of its own is on its way
  if (const auto problem = problem_of(answer); !problem.code.empty()) return writer_.refuse(stream, problem);
  const bool is_over = is_verdict && stream.question->answer_by <= steady_now();
  if (is_over || is_poll_answered(stream.cursor, answer))
    return writer_.answer(stream, poll_response(stream.cursor, answer));
  if (is_verdict) stream.question->has_been_asked = true;
}

void StreamRules::tick(Stream& stream, SteadyTime now) {
  if (stream.is_behind() && now - stream.progressed > options_.stall) return drop_stalled(stream);
  if (stream.phase == Phase::kOpening) return tick_opening(stream, now);
  if (stream.phase != Phase::kLive) return;
  if (stream.ends <= now) return writer_.end(stream);
  if (stream.next_keepalive <= now) writer_.keep_alive(stream);
}

void StreamRules::tick_opening(Stream& stream, SteadyTime now) {
  const bool is_patient = now - stream.question->since <= options_.log_patience;
  if (stream.is_poll()) {
    if (now < stream.question->answer_by || is_patient) return;
    if (!is_log_available_ || !stream.question->has_been_asked)
      return writer_.refuse(stream, database_away());
    return writer_.answer(stream, empty_poll_response(*stream.channel->run_id, stream.cursor));
  }
  if (!is_patient) writer_.begin(stream, kUnavailable);
}

bool StreamRules::note_log(bool is_available) {
  const bool was_available = std::exchange(is_log_available_, is_available);
  return was_available && !is_available;
}

void StreamRules::tell_of_outage(Stream& stream) {
  if (stream.phase == Phase::kLive) writer_.comment(stream, kUnavailable);
}

void StreamRules::stop(Stream& stream) {
  if (stream.is_poll())
    return writer_.answer(stream, empty_poll_response(*stream.channel->run_id, stream.cursor));
  if (stream.phase == Phase::kOpening) writer_.begin(stream, kStopping);
  if (stream.phase == Phase::kLive) writer_.end(stream);
}

}  // namespace gp::streaming
