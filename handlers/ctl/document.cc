// document <run_id> [--store]   a run's document, folded anew from its request and events; --store writes it
// into the project's row, which is made where there is none.

#include <memory>
#include <string>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/rebuilt_document.h"
#include "core/runlog/schema.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

struct Options {
  std::string run_id;
  bool store = false;
};

ExitCode print(pg::Session& session, const RunId& run_id, const std::string& csv_base_url) {
  fmt::print("{}\n", runlog::rebuild_document(session, run_id, csv_base_url));
  return ExitCode::kOk;
}

ExitCode store(pg::Session& session, const RunId& run_id, const std::string& csv_base_url) {
  try {
    if (runlog::store_rebuilt_document(session, run_id, csv_base_url, runlog::kLockPatience)) {
      fmt::print("The project has the run's document.\n");
      return ExitCode::kOk;
    }
    fmt::print(stderr, "generate-project: the project has a later run, whose document it keeps\n");
    return ExitCode::kFailure;
  } catch (const Error& error) {
    if (!runlog::is_lock_timeout(error)) throw;
    throw Error(ErrorKind::kUnavailable, "the project's row is locked by another transaction; try again");
  }
}

ExitCode document(const Options& options) {
  const auto run_id = parse_run_id(options.run_id);
  if (!run_id) throw Error(ErrorKind::kBadInput, "run_id is not a UUID");
  const Config config = load_as_service(kRequired);
  pg::Session session(config.database_url, "generate-project document");
  runlog::require_schema(session);
  return options.store ? store(session, *run_id, config.csv_base_url)
                       : print(session, *run_id, config.csv_base_url);
}

}  // namespace

void add_document(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("document", "Rebuild a run's document from its events");
  sub->add_option("run_id", options->run_id, "The run")->required();
  sub->add_flag("--store", options->store, "Write it into the project's row, made where there is none");
  sub->callback([=, &chosen] { chosen = [=] { return document(*options); }; });
}

}  // namespace gp::ctl
