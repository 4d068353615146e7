// GET /events/stream?run_id=: the events of one run over Server-Sent Events, replayed from the client's
// cursor and then live.
//   who may call: whoever knows the run_id. Body: none. Side effects: none; closing a stream never cancels a
//   run. 200 the stream, ended after the run's last event; 204 the client has that already, and an
//   EventSource stops; 400 run_id missing or malformed; 404 unknown run; 410 older than the retention; 503
//   too many streams. While the log is away: 200, and the stream waits for it.

#include <memory>

#include "core/process/handler_main.h"
#include "core/streaming/event_log.h"
#include "core/streaming/stream_server.h"

namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

int run_child(const gp::Config& config, const gp::process::Child& child) {
  gp::streaming::StreamServer server(
      gp::streaming::stream_options(config), child.listen_fd, child.stop_fd,
      std::make_unique<gp::streaming::PostgresEventLog>(config.database_listen_url));
  server.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "events",
                                    .description = "Serves GET /events/stream.",
                                    .required = kRequired,
                                    .processes = &gp::Config::events_processes,
                                    .drain = &gp::Config::drain_s,
                                    .child = run_child});
}
