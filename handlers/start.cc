// POST /start: records a run; a worker generates it.
//   who may call: anybody whom nginx and CORS_ALLOWED_ORIGINS let through. Body: JSON, at most
//   BODY_LIMIT_BYTES. 202 {"run_id"}: started, or started again after an error. 200 {"run_id"}: already
//   there; Idempotent-Request-Differs: true where this body is not the one it began with. Both with Location
//   of its stream. 400 malformed JSON, 413 too large, 415 not JSON, 422 every fault at once, or
//   blocked_content; 503 database away. Side effects: one row of generation_runs, one ring of the queue's
//   doorbell. Idempotent by (project_id, chat_id).

#include <array>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/base/json.h"
#include "core/base/report.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"
#include "core/project/blocklist.h"
#include "core/project/start_request.h"
#include "core/runlog/run_intake.h"

namespace {

using gp::Fault;
using gp::http::Problem;
using gp::project::StartRequest;
using Outcome = gp::runlog::StartOutcome;

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

struct App {
  gp::project::Blocklist blocklist;
  gp::runlog::RunIntake intake;
};

bool is_json(const gp::http::Request& request) {
  const std::string_view type = request.header("content-type").value_or("");
  const std::string_view essence = type.substr(0, type.find(';'));
  return essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
}

std::vector<Fault> find_blocked(const StartRequest& request, const gp::project::Blocklist& blocklist) {
  const std::array<std::pair<const char*, const std::string&>, 3> texts = {
      {{"topic", request.topic}, {"title", request.title}, {"life_skill", request.life_skill}}};
  std::vector<Fault> faults;
  for (const auto& [field, text] : texts) {
    if (const auto hit = blocklist.find(text)) {
      faults.push_back({field, fmt::format("holds a word of the blocked category '{}'", hit->category)});
    }
  }
  return faults;
}

/// The request, or the problem that its body has.
std::variant<StartRequest, Problem> parse(const gp::http::Request& request,
                                          const gp::project::Blocklist& blocklist) {
  if (!is_json(request))
    return Problem{415, "unsupported_media_type", "Content-Type must be application/json."};
  auto parsed = gp::project::parse_start_request(gp::parse_json(request.body));
  if (auto* faults = std::get_if<std::vector<Fault>>(&parsed)) {
    return Problem{422, "invalid_request", "Some members are missing or not allowed; errors names them all.",
                   std::move(*faults)};
  }
  auto& start_request = std::get<StartRequest>(parsed);
  auto blocked = find_blocked(start_request, blocklist);
  if (!blocked.empty())
    return Problem{422, "blocked_content", "The request holds words that are not for a classroom.",
                   std::move(blocked)};
  return std::move(start_request);
}

std::string_view name_of(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kStarted:
      return "started";
    case Outcome::Kind::kRestarted:
      return "restarted";
    case Outcome::Kind::kAlready:
      return "already";
  }
  return "already";
}

gp::http::Response handle(App& app, const gp::http::Request& request) {
  if (request.path != "/start") return gp::http::to_response(gp::http::not_found(), request.request_id);
  const auto parsed = parse(request, app.blocklist);
  if (const auto* problem = std::get_if<Problem>(&parsed))
    return gp::http::to_response(*problem, request.request_id);

  const Outcome outcome = app.intake.start(std::get<StartRequest>(parsed));
  const std::string& run_id = outcome.run_id.str();
  gp::report::report(
      gp::report::RunStartRequested{request.request_id, run_id, std::string(name_of(outcome.kind))});
  auto response = gp::http::json_response(outcome.kind == Outcome::Kind::kAlready ? 200 : 202,
                                          gp::dump_json({{"run_id", run_id}}));
  response.with("Location", "/events/stream?run_id=" + run_id);
  if (outcome.request_differs) response.with("Idempotent-Request-Differs", "true");
  return response;
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  App app{gp::project::Blocklist::load(config.blocklist_file), gp::runlog::RunIntake(config.database_url)};
  return gp::process::serve(child, gp::process::serve_options(config, "POST, OPTIONS"),
                            [&](const gp::http::Request& request) { return handle(app, request); });
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "start",
                                    .description = "Serves POST /start.",
                                    .required = kRequired,
                                    .processes = &gp::Config::start_processes,
                                    .drain = &gp::Config::drain_s,
                                    .child = run_child});
}
