// migrate [--dry-run | --check]   makes or updates the tables in DATABASE_URL. Forward only; running it again
// does nothing, as it does where a newer program has migrated and left this one its tables. --dry-run tells
// what it would apply, --check the same with exit code 1 where that is anything. The exit code is 78 where
// the tables do not take this program any more. Each migration is named once it is committed: those before
// one that fails stay.

#include "core/runlog/migrate.h"

#include <memory>
#include <string>

#include <fmt/format.h>

#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

struct Options {
  bool dry_run = false;
  bool check = false;
};

ExitCode tell(const Config& config, bool is_check) {
  const auto pending = runlog::pending_migrations(config.database_url);
  for (const auto& migration : pending) fmt::print("would apply {}: {}\n", migration.name, migration.summary);
  if (pending.empty())
    fmt::print("nothing to apply: schema version {}\n", runlog::schema_version(config.database_url));
  return is_check && !pending.empty() ? ExitCode::kFailure : ExitCode::kOk;
}

ExitCode migrate(const Options& options) {
  const Config config = load_as_service(kRequired);
  if (options.dry_run || options.check) return tell(config, options.check);
  runlog::migrate(config.database_url, [](const std::string& name) { fmt::print("applied {}\n", name); });
  fmt::print("schema version {}\n", runlog::schema_version(config.database_url));
  return ExitCode::kOk;
}

}  // namespace

void add_migrate(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("migrate", "Make or update the tables in DATABASE_URL");
  CLI::Option* dry_run = sub->add_flag("--dry-run", options->dry_run, "Only tell what would be applied");
  sub->add_flag("--check", options->check, "The same; exit code 1 where anything would be")
      ->excludes(dry_run);
  sub->callback([=, &chosen] { chosen = [=] { return migrate(*options); }; });
}

}  // namespace gp::ctl
