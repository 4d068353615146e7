// cancel <run_id>   stops a run, on whatever host it is, as POST /runs/<run_id>/cancel does. Idempotent: 0
// for a run that is being stopped or has ended, now or before; the line says which.

#include <memory>
#include <string>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/runlog/run_canceller.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

ExitCode cancel(const std::string& text) {
  const auto run_id = parse_run_id(text);
  if (!run_id) throw Error(ErrorKind::kBadInput, "run_id is not a UUID");
  const Config config = load_as_service(kRequired);
  runlog::RunCanceller canceller(config.database_url, config.csv_base_url, config.lost_after_s);
  const auto outcome = canceller.cancel(*run_id);
  if (outcome.kind == runlog::CancelOutcome::Kind::kUnknown)
    throw Error(ErrorKind::kNotFound, "there is no such run");
  fmt::print("{}\n", runlog::describe(outcome));
  return ExitCode::kOk;
}

}  // namespace

void add_cancel(CLI::App& app, Chosen& chosen) {
  const auto run_id = std::make_shared<std::string>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("cancel", "Stop a run, on whatever host it is");
  sub->add_option("run_id", *run_id, "The run")->required();
  sub->callback([=, &chosen] { chosen = [=] { return cancel(*run_id); }; });
}

}  // namespace gp::ctl
