#include "handlers/ctl/command.h"

namespace gp::ctl {

void add_commands(CLI::App& app, Chosen& chosen) {
  app.set_version_flag("--version", GP_VERSION);
  app.require_subcommand(1);
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
