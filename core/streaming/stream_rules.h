#pragma once

#include "core/base/clock.h"
#include "core/streaming/delivery.h"
#include "core/streaming/news.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_options.h"
#include "core/streaming/stream_writer.h"

namespace gp::streaming {

/// What one client is told, and when: a stream or a poll that follows its run meets an answer, a tick of the
/// clock, an outage of the log, the stop. Knows no other client and no list of them: where one has come to
/// its end its phase says so. The event loop's thread only.
class StreamRules {
 public:
  /// Both outlive it.
  StreamRules(const StreamOptions& options, StreamWriter& writer) : options_(options), writer_(writer) {}

  /// The answer is about the stream's run and reaches back to its cursor: opens it, answers it, gives it the
  /// events beyond its cursor, ends it behind the last one.
  void take(Stream& stream, const TailAnswer& answer, Delivery& delivery);

  /// Patience with the log and with the client, rotation and keep-alives.
  void tick(Stream& stream, SteadyTime now);

  /// True where the log was available and is not any more: then every stream is to be told.
  bool note_log(bool is_available);
  void tell_of_outage(Stream& stream);

  /// This process is being stopped. A refusal would stop an EventSource for good: what is not open yet is
  /// opened to be ended.
  void stop(Stream& stream);

 private:
  void open_by(Stream& stream, const TailAnswer& answer);
  void answer_poll(Stream& stream, const TailAnswer& answer);
  void go_on_from_end(Stream& stream, std::int64_t last_id);
  void tick_opening(Stream& stream, SteadyTime now);

  const StreamOptions& options_;
  StreamWriter& writer_;
  bool is_log_available_ = true;
};

}  // namespace gp::streaming
