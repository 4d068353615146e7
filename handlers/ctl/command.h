#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "core/base/exit_code.h"

namespace gp::ctl {

/// What the command line has chosen: run once everything is parsed.
using Chosen = std::function<ExitCode()>;

// One subcommand, one file: each declares its options and, where it is named, sets `chosen`. What goes wrong
// is thrown; main turns it into one message and an exit code.
void add_cancel(CLI::App& app, Chosen& chosen);
void add_document(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);
void add_migrate(CLI::App& app, Chosen& chosen);
void add_nginx_site(CLI::App& app, Chosen& chosen);
void add_prune(CLI::App& app, Chosen& chosen);
void add_run(CLI::App& app, Chosen& chosen);
void add_runs(CLI::App& app, Chosen& chosen);
void add_settings(CLI::App& app, Chosen& chosen);
void add_setup(CLI::App& app, Chosen& chosen);
void add_tail(CLI::App& app, Chosen& chosen);

/// What --metrics-allow takes: an address, or a network as ADDRESS/BITS.
CLI::Validator as_network();

/// The whole command line.
void add_commands(CLI::App& app, Chosen& chosen);

}  // namespace gp::ctl
