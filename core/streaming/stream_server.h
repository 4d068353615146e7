#pragma once

#include <memory>

#include "core/streaming/event_log.h"
#include "core/streaming/log_reader.h"
#include "core/streaming/replay_store.h"
#include "core/streaming/stream_options.h"

namespace gp::streaming {

/// GET /events/stream and GET /events: one event loop that accepts FastCGI connections, has libfcgi parse
/// each request once it has arrived whole, and then owns the connection. It never waits: two threads of its
/// own read the host's replay cache and the event log. Make it after fork.
class StreamServer {
 public:
  struct Sources {
    std::unique_ptr<EventLog> log;
    std::unique_ptr<ReplayStore> replay;
    LogReaderOptions reading = {};
  };

  StreamServer(StreamOptions options, int listen_fd, int stop_fd, Sources sources);
  /// Waits for the thread that reads the log, which may sit in a database that does not answer, for ever. A
  /// process that ends next does without (std::unique_ptr::release).
  ~StreamServer();

  /// Serves until stop_fd is readable; then answers what it has accepted, ends every stream between two
  /// frames, has what was served kept in the replay cache, and returns. Where this program and the database
  /// do not fit each other it does the same and throws Error(kSchema).
  void run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::streaming
