// The commands about runs: a worker carries them out.
//
// POST /start records a run. Body: JSON, at most BODY_LIMIT_BYTES.
//   202 {"run_id"}: started, or started again after an error. 200 {"run_id"}: already there;
//   Idempotent-Request-Differs: true where this body is not the one it began with. Both with Location of its
//   stream. 400 malformed JSON, 413 too large, 415 not JSON, 422 every fault at once, or blocked_content,
//   429 queue_full. Idempotent by (project_id, chat_id).
//   Side effects: one row of generation_runs, one ring of the queue's doorbell.
//
// POST /runs/<run_id>/cancel stops a run, on whatever host it is. Body: none.
//   202: a worker is stopping it. 200: it has ended, now or before (a complete run stays complete). Both
//   {"run_id", "state", "error_code", "detail"}. 400 not a UUID, 404 run_not_found. Idempotent.
//   Side effects: the run ends with the event `error`, code cancelled.
//
// Both: 503 where the database is away. Who may call: whom nginx and CORS_ALLOWED_ORIGINS let through; a run
// is stopped by whoever knows its id.

#include <chrono>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/json.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/http/media_type.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"
#include "core/project/blocklist.h"
#include "core/project/checks.h"
#include "core/project/start_request.h"
#include "core/runlog/run_canceller.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/schema.h"

namespace {

using gp::Fault;
using gp::http::Problem;
using gp::project::StartRequest;
using Outcome = gp::runlog::StartOutcome;
using gp::runlog::CancelOutcome;

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

constexpr std::string_view kStart = "/start";
constexpr std::string_view kRunPrefix = "/runs/";
constexpr std::string_view kCancelSuffix = "/cancel";

/// A body's request, or the problem that it has.
using Parsed = std::variant<StartRequest, Problem>;

struct App {
  const gp::project::Blocklist& blocklist;
  gp::runlog::RunIntake intake;
  gp::runlog::RunCanceller canceller;
};

// Starting
// ------------------------------------------------------------------------------------------------------------

Parsed parse(const gp::http::Request& request, const gp::project::Blocklist& blocklist) {
  if (!gp::http::is_json(request.header("content-type").value_or("")))
    return Problem{415, "unsupported_media_type", "Content-Type must be application/json."};
  gp::Json body;
  try {
    body = gp::parse_json(request.body);
  } catch (const gp::Error& error) {
    return gp::http::problem_for(error);
  }
  auto parsed = gp::project::parse_start_request(body);
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
    case Outcome::Kind::kQueueFull:
      return "queue_full";
  }
  return "already";
}

/// A full queue holds minutes of work; who is told so comes back often enough to get a place soon, and not so
/// often that asking is work of its own.
constexpr std::chrono::seconds kQueueRetry{15};

gp::http::Response refuse_for_now(const gp::http::Request& request) {
  gp::metrics::count(gp::metrics::Counter::kStartsRefused);
  Problem problem{429, "queue_full",
                  "As many runs wait as this service takes; the same request may be sent again."};
  problem.retry_after = kQueueRetry;
  return gp::http::to_response(problem, request.request_id);
}

/// `known`: what came of it together with others.
gp::http::Response start(App& app, const gp::http::Request& request, const Parsed& parsed,
                         const std::optional<Outcome>& known) {
  if (const auto* problem = std::get_if<Problem>(&parsed))
    return gp::http::to_response(*problem, request.request_id);

  const Outcome outcome = known ? *known : app.intake.start(std::get<StartRequest>(parsed));
  const std::string& run_id = outcome.run_id.str();
  gp::report::report(
      gp::report::RunStartRequested{request.request_id, run_id, std::string(name_of(outcome.kind))});
  if (outcome.kind == Outcome::Kind::kQueueFull) return refuse_for_now(request);
  auto response = gp::http::json_response(outcome.kind == Outcome::Kind::kAlready ? 200 : 202,
                                          gp::dump_json({{"run_id", run_id}}));
  response.with("Location", "/events/stream?run_id=" + run_id);
  if (outcome.request_differs) response.with("Idempotent-Request-Differs", "true");
  return response;
}

// Cancelling
// ------------------------------------------------------------------------------------------------------------

/// The id in /runs/<run_id>/cancel; nothing where it is another path.
std::optional<std::string> run_to_cancel(const std::string& path) {
  const std::size_t around = kRunPrefix.size() + kCancelSuffix.size();
  if (path.size() <= around || !path.starts_with(kRunPrefix) || !path.ends_with(kCancelSuffix))
    return std::nullopt;
  return path.substr(kRunPrefix.size(), path.size() - around);
}

gp::http::Response cancel(App& app, const std::string& id, const gp::http::Request& request) {
  const auto run_id = gp::parse_run_id(id);
  if (!run_id) {
    return gp::http::to_response(
        {400, "invalid_request", "run_id is not a UUID.", {{"run_id", "must be a UUID"}}},
        request.request_id);
  }
  const CancelOutcome outcome = app.canceller.cancel(*run_id);
  if (outcome.kind == CancelOutcome::Kind::kUnknown)
    return gp::http::to_response({404, "run_not_found", "There is no such run."}, request.request_id);
  const bool is_stopping = outcome.kind == CancelOutcome::Kind::kStopping;
  if (outcome.ended_now) gp::metrics::count(gp::metrics::Counter::kRunsCancelled);
  gp::report::report(
      gp::report::RunCancelRequested{request.request_id, run_id->str(), is_stopping ? "stopping" : "ended"});
  const gp::Json code = outcome.error_code.empty() ? gp::Json(nullptr) : gp::Json(outcome.error_code);
  return gp::http::json_response(is_stopping ? 202 : 200,
                                 gp::dump_json({{"run_id", run_id->str()},
                                                {"state", outcome.state},
                                                {"error_code", code},
                                                {"detail", gp::runlog::describe(outcome)}}));
}

// Both
// ------------------------------------------------------------------------------------------------------------

gp::http::Response other(App& app, const gp::http::Request& request) {
  if (const auto id = run_to_cancel(request.path)) return cancel(app, *id, request);
  return gp::http::to_response(gp::http::not_found(), request.request_id);
}

/// Parses the requests to start, and records their runs together; the others have to wait for nothing.
std::vector<gp::process::Answer> begin(App& app, std::span<const gp::http::Request* const> together) {
  std::vector<std::optional<Parsed>> parsed;
  for (const gp::http::Request* request : together)
    parsed.push_back(request->path == kStart ? std::optional(parse(*request, app.blocklist)) : std::nullopt);
  std::vector<const StartRequest*> sound;
  for (const auto& each : parsed) sound.push_back(each ? std::get_if<StartRequest>(&*each) : nullptr);
  const auto outcomes = app.intake.start_together(sound);
  std::vector<gp::process::Answer> answers;
  for (std::size_t i = 0; i < together.size(); ++i) {
    answers.emplace_back(
        [&app, &request = *together[i], parsed = std::move(parsed[i]), outcome = outcomes[i]] {
          return parsed ? start(app, request, *parsed, outcome) : other(app, request);
        });
  }
  return answers;
}

int run_child(const gp::Config& config, const gp::project::Blocklist& blocklist,
              const gp::process::Child& child) {
  gp::runlog::await_schema(config.database_url, child.stop_fd);
  App app{blocklist, gp::runlog::RunIntake(config.database_url, config.queue_max_runs),
          gp::runlog::RunCanceller(config.database_url, config.csv_base_url, config.lost_after_s)};
  gp::process::ServeOptions options = gp::process::serve_options(config, "POST, OPTIONS");
  options.when_idle = [&] { app.intake.ring(); };
  return gp::process::serve_together(child, options, [&](auto together) { return begin(app, together); });
}

gp::process::ChildLife prepare(const gp::Config& config) {
  return [&config, blocklist = gp::project::Blocklist::load(config.blocklist_file)](
             const gp::process::Child& child) { return run_child(config, blocklist, child); };
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "start",
                                    .description = "Serves POST /start and POST /runs/<run_id>/cancel.",
                                    .required = kRequired,
                                    .processes = &gp::Config::start_processes,
                                    .drain = &gp::Config::drain_s,
                                    .prepare = prepare});
}
