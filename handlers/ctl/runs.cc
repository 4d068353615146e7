// runs [--state S] [--limit N] [--json]   the newest runs. Never an owner's address.

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "core/base/json.h"
#include "core/runlog/run_list.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

struct Options {
  std::string state;
  int limit = 20;
  bool json = false;
};

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

Json as_json(const runlog::ListedRun& run) {
  return {{"run_id", run.run_id.str()},
          {"project_id", run.project_id.str()},
          {"state", run.state},
          {"attempt", run.attempt},
          {"last_event_id", run.last_event_id},
          {"queued_at", format_rfc3339(run.queued_at)},
          {"started_at", time_or_null(run.started_at)},
          {"finished_at", time_or_null(run.finished_at)},
          {"error_code", run.error_code.empty() ? Json(nullptr) : Json(run.error_code)},
          {"is_pruned", run.is_pruned}};
}

std::string as_line(const runlog::ListedRun& run) {
  return fmt::format("{}  {:<8}  {:>3} events  attempt {}  {}  {}{}", run.run_id.str(), run.state,
                     run.last_event_id, run.attempt, format_rfc3339(run.queued_at), run.project_id.str(),
                     run.error_code.empty() ? "" : "  " + run.error_code);
}

ExitCode print_runs(const Options& options) {
  const Config config = load_as_service(kRequired);
  const auto state = options.state.empty() ? std::nullopt : std::optional(options.state);
  for (const auto& run : runlog::list_runs(config.database_url, state, options.limit))
    fmt::print("{}\n", options.json ? dump_json(as_json(run)) : as_line(run));
  return ExitCode::kOk;
}

}  // namespace

void add_runs(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("runs", "List the newest runs");
  sub->add_option("--state", options->state, "Only runs in this state")
      ->check(CLI::IsMember({"queued", "running", "complete", "error"}));
  sub->add_option("--limit", options->limit, "The most runs")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  sub->add_flag("--json", options->json, "One JSON object a line");
  sub->callback([=, &chosen] { chosen = [=] { return print_runs(*options); }; });
}

}  // namespace gp::ctl
