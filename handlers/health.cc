// GET /health: is this service alive? No dependency is touched, so it answers while the database is away.
// GET /metrics: what all processes of this host have counted, for Prometheus.
//   who may call: /health anybody, /metrics whom nginx lets through (its own host). Body: none. Side effects:
//   none.
//   200 {"ok": true}, or the text format 0.0.4; 404 for any other path under them; 405 for any other method.

#include "core/base/metrics.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"

namespace {

gp::http::Response metrics(const std::string& folder) {
  return {200,
          {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control", "no-store"}},
          gp::metrics::render(folder)};
}

gp::http::Response handle(const std::string& metrics_folder, const gp::http::Request& request) {
  if (request.path == "/health") return gp::http::json_response(200, R"({"ok":true})");
  if (request.path == "/metrics") return metrics(metrics_folder);
  return gp::http::to_response(gp::http::not_found(), request.request_id);
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  return gp::process::serve(child, gp::process::serve_options(config, "GET, HEAD, OPTIONS"),
                            [folder = gp::metrics::folder_in(config.runtime_dir)](
                                const gp::http::Request& request) { return handle(folder, request); });
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "health",
                                    .description = "Serves GET /health and GET /metrics.",
                                    .required = {},
                                    .processes = &gp::Config::health_processes,
                                    .drain = &gp::Config::drain_s,
                                    .child = run_child});
}
