#include "handlers/ctl/command.h"

#include <string>

#include <fmt/format.h>

namespace gp::ctl {
namespace {

/// The parser itself only says that a command is missing where the one that is given is unknown.
std::string explain(const CLI::App* app, const CLI::Error& error) {
  const auto unknown = app->remaining();
  if (dynamic_cast<const CLI::RequiredError*>(&error) == nullptr || unknown.empty())
    return CLI::FailureMessage::simple(app, error);
  const std::string& name = unknown.front();
  return fmt::format("There is no such {}: {}\nRun with --help for more information.\n",
                     name.starts_with('-') ? "option" : "command", name);
}

}  // namespace

void add_commands(CLI::App& app, Chosen& chosen) {
  app.set_version_flag("--version", GP_VERSION);
  app.require_subcommand(1);
  app.failure_message(explain);
  add_setup(app, chosen);
  add_doctor(app, chosen);
  add_migrate(app, chosen);
  add_nginx_site(app, chosen);
  add_run(app, chosen);
  add_tail(app, chosen);
  add_runs(app, chosen);
  add_cancel(app, chosen);
  add_document(app, chosen);
  add_prune(app, chosen);
  add_settings(app, chosen);
}

}  // namespace gp::ctl
