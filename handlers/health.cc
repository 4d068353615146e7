// GET /health: is this service alive? No dependency is touched, so it answers while the database is away.
// GET /health/ready: can this host do its work? One entry for each dependency (handlers/readiness.h).
// GET /metrics: what all processes of this host have counted, for Prometheus.
//   who may call: /health and /health/ready anybody, /metrics whom nginx lets through (its own host). Body:
//   none. Side effects: none; the database is looked at once a second at most, whoever asks how often. 200
//   {"ok": true}, with the entries where they are asked for, or the text format 0.0.4; 503 {"ok": false} with
//   the entries; 404 for any other path under them; 405 for any other method.

#include <chrono>
#include <memory>
#include <utility>

#include "core/base/json.h"
#include "core/base/metrics.h"
#include "core/base/refreshed.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"
#include "core/runlog/log_probe.h"
#include "handlers/readiness.h"

namespace {

using LogState = gp::Refreshed<gp::runlog::LogHealth>;

constexpr std::chrono::milliseconds kMaxAge{1000};
constexpr std::chrono::milliseconds kPatience{1000};  ///< /health waits behind whoever waits for this

struct App {
  std::string metrics_folder;
  std::unique_ptr<LogState> log;  ///< none where there is no DATABASE_URL
};

std::unique_ptr<LogState> watch_log(const gp::Secret& database_url) {
  if (database_url.empty()) return nullptr;
  // Shared with the thread that looks, which may outlast everything here while a look hangs.
  auto probe = std::make_shared<gp::runlog::LogProbe>(database_url);
  return std::make_unique<LogState>([probe = std::move(probe)] { return probe->look(); }, kMaxAge, kPatience);
}

gp::http::Response metrics(const App& app) {
  return {200,
          {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control", "no-store"}},
          gp::metrics::render(app.metrics_folder)};
}

gp::http::Response ready(const App& app) {
  gp::readiness::Facts facts;
  facts.has_database_url = app.log != nullptr;
  if (app.log) facts.log = app.log->get();
  facts.events = gp::metrics::read_handler(app.metrics_folder, "events");
  facts.workers = gp::metrics::read_handler(app.metrics_folder, "worker");
  const auto verdict = gp::readiness::judge(facts);
  return gp::http::json_response(verdict.is_ready ? 200 : 503, gp::dump_json(verdict.body));
}

gp::http::Response handle(const App& app, const gp::http::Request& request) {
  if (request.path == "/health") return gp::http::json_response(200, R"({"ok":true})");
  if (request.path == "/health/ready") return ready(app);
  if (request.path == "/metrics") return metrics(app);
  return gp::http::to_response(gp::http::not_found(), request.request_id);
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  const App app{gp::metrics::folder_in(config.runtime_dir), watch_log(config.database_url)};
  return gp::process::serve(child, gp::process::serve_options(config, "GET, HEAD, OPTIONS"),
                            [&](const gp::http::Request& request) { return handle(app, request); });
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "health",
                                    .description = "Serves GET /health, GET /health/ready and GET /metrics.",
                                    .required = {},
                                    .processes = &gp::Config::health_processes,
                                    .drain = &gp::Config::drain_s,
                                    .prepare = gp::process::without_files(run_child)});
}
