#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/base/config.h"
#include "core/streaming/event_log.h"

namespace gp::streaming {

struct StreamOptions {
  std::chrono::milliseconds keepalive{15000};
  std::chrono::milliseconds max_age{3600000};  ///< a stream is ended after 75-100 % of it
  std::chrono::milliseconds stall{
      60000};  ///< a client that takes nothing for so long while bytes wait is dropped
  std::chrono::milliseconds log_patience{
      1000};  ///< how long a new stream waits for the log before it opens without it
  std::chrono::milliseconds request_patience{5000};  ///< how long a connection may take to send its request
  std::chrono::milliseconds drain{2000};  ///< how long the ends of streams may take to flush at a stop
  std::size_t max_streams = 8000;
  std::size_t buffer_bytes = 262144;  ///< most bytes that wait for one slow client
  std::string allowed_origins = "*";
};

StreamOptions stream_options(const Config& config);

/// GET /events/stream: one event loop that accepts FastCGI connections, has libfcgi parse each request once
/// it has arrived whole, and then owns the connection. It never blocks; the log is read by LogReader's
/// thread.
class StreamServer {
 public:
  StreamServer(StreamOptions options, int listen_fd, int stop_fd, std::unique_ptr<EventLog> log);
  ~StreamServer();

  /// Serves until stop_fd is readable; then ends every stream between two frames and returns.
  void run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::streaming
