// GET /health: is this service alive? No dependency is touched, so it answers while the database is away.
//   who may call: anybody. Body: none. Side effects: none.
//   200 {"ok": true}; 404 for any other path under it; 405 for any other method.

#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"

namespace {

gp::http::Response handle(const gp::http::Request& request) {
  if (request.path != "/health") return gp::http::to_response(gp::http::not_found(), request.request_id);
  return gp::http::json_response(200, R"({"ok":true})");
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  return gp::process::serve(child, gp::process::serve_options(config, "GET, HEAD, OPTIONS"), handle);
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "health",
                                    .description = "Serves GET /health.",
                                    .required = {},
                                    .processes = &gp::Config::health_processes,
                                    .drain = &gp::Config::drain_s,
                                    .child = run_child});
}
