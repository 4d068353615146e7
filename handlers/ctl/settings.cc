// settings [--sample | --man]   every setting with its default and range; as a settings file to edit; as the
// manual page generate-project.conf(5).

#include <memory>

#include <fmt/format.h>

#include "core/base/config.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/settings_page.h"

namespace gp::ctl {
namespace {

struct Options {
  bool sample = false;
  bool man = false;
};

ExitCode print_settings(const Options& options) {
  if (options.man) {
    fmt::print("{}", settings_page());
  } else {
    fmt::print("{}", options.sample ? settings_sample() : settings_help());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_settings(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("settings", "Show every setting with its default and range");
  CLI::Option* sample = sub->add_flag("--sample", options->sample, "As a settings file to edit");
  sub->add_flag("--man", options->man, "As the manual page generate-project.conf(5)")->excludes(sample);
  sub->callback([=, &chosen] { chosen = [=] { return print_settings(*options); }; });
}

}  // namespace gp::ctl
