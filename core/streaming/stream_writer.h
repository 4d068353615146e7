#pragma once

#include <random>
#include <string>
#include <string_view>

#include "core/http/cors.h"
#include "core/http/problem.h"
#include "core/http/response.h"
#include "core/streaming/poller.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_options.h"

namespace gp::streaming {

/// Everything that is written to a stream. Each function leaves the stream in a phase that says what came of
/// it; none waits. The event loop's thread only.
class StreamWriter {
 public:
  StreamWriter(const StreamOptions& options, const Poller& poller);

  /// A whole answer instead of a stream, and the end of the connection.
  void answer(Stream& stream, http::Response response);
  void refuse(Stream& stream, const http::Problem& problem);
  void answer_preflight(Stream& stream);
  void refuse_method(Stream& stream);

  /// The header of the stream and its first comment: what waits in the question's note, or `note`.
  void begin(Stream& stream, std::string_view note = {});

  /// The events beyond the stream's cursor, as many as its buffer takes.
  void send_events(Stream& stream, const Frames& frames);

  /// A comment, unless the client is behind: it is told nothing that is worth a buffer.
  void comment(Stream& stream, std::string_view text);
  void keep_alive(Stream& stream);

  /// Sends on when the socket takes bytes again. A stream that is ending is dead when all has gone.
  void flush(Stream& stream);

  /// Ends the response cleanly between two frames; the connection is closed when all has been sent.
  void end(Stream& stream);

 private:
  void send(Stream& stream, std::string_view bytes);
  void watch(Stream& stream) const;
  void complete(const http::Request& request, http::Response& response) const;
  std::string retry_line();

  const StreamOptions& options_;
  const Poller& poller_;
  http::Cors cors_;
  std::string keepalive_;
  std::minstd_rand random_{std::random_device{}()};
};

/// `bytes` as FastCGI output.
std::string as_record(std::string_view bytes);

}  // namespace gp::streaming
