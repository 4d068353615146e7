// The events of one run, replayed from the client's cursor and then live.
//   GET /events/stream?run_id=           over Server-Sent Events. 200 the stream, ended after the run's last
//     event; 204 the client has that already, and an EventSource stops; 400 run_id missing or malformed; 404
//     unknown run; 410 older than the retention; 503 too many streams and polls. While the log is away: 200,
//     what this host has is replayed, and the stream waits for the rest.
//   GET /events?run_id=&after=&wait=     the same events as JSON (core/streaming/long_poll.h). 200, at once
//     where there are events beyond `after`, else after at most `wait` seconds (0-60); 400 with every fault;
//     404, 410; 503 too many, or the log is away and this host has nothing newer.
//   who may call: whoever knows the run_id. Body: none. Side effects: closing a stream never cancels a run; a
//   run whose worker has been gone for LOST_AFTER_S is ended with an error event.

#include <algorithm>
#include <memory>

#include "core/base/report.h"
#include "core/process/descriptors.h"
#include "core/process/handler_main.h"
#include "core/streaming/event_log.h"
#include "core/streaming/stream_server.h"

namespace {

using gp::streaming::StreamServer;

constexpr std::string_view kRequired[] = {"DATABASE_URL"};
constexpr std::size_t kOtherDescriptors = 256;  ///< the readers' own, and requests that are being refused

/// SSE_MAX_STREAMS, or what the system's limit of descriptors leaves of it.
gp::streaming::StreamOptions options_within_limits(const gp::Config& config) {
  auto options = gp::streaming::stream_options(config);
  const std::size_t limit = gp::process::raise_descriptor_limit();
  const std::size_t room = limit > 2 * kOtherDescriptors ? limit - kOtherDescriptors : limit / 2;
  if (options.max_streams > room) {
    gp::report::report(gp::report::StreamsLimited{static_cast<std::int64_t>(room)});
    options.max_streams = room;
  }
  return options;
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  StreamServer::Sources sources;
  sources.log = std::make_unique<gp::streaming::PostgresEventLog>(
      config.database_listen_url, config.database_url, config.csv_base_url, config.lost_after_s);
  sources.replay = std::make_unique<gp::streaming::SpoolReplayStore>(
      config.spool_path, gp::spool::ReplayLimits{config.spool_max_bytes, config.spool_max_age_s});
  sources.reading.outage_grace = config.lease_s + config.lost_after_s;
  auto server = std::make_unique<StreamServer>(options_within_limits(config), child.listen_fd, child.stop_fd,
                                               std::move(sources));
  server->run();
  // Not destroyed: all is done, the process ends here, and a database that does not answer would hold it up.
  static_cast<void>(server.release());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "events",
                                    .description = "Serves GET /events/stream and GET /events.",
                                    .required = kRequired,
                                    .processes = &gp::Config::events_processes,
                                    .drain = &gp::Config::drain_s,
                                    .prepare = gp::process::without_files(run_child)});
}
