// `generate-project`: the command line for people. It talks to the database directly and needs no handler to
// run. Each subcommand is a file of its name in this folder. Exit codes: core/base/exit_code.h; `run` and
// `tail` give 1 where the run ended in error, `doctor` where something has failed, `migrate --check` where
// something is to be applied. What could not be printed is 69: half a list must not pass for a whole one.

#include <cerrno>
#include <cstdio>
#include <functional>
#include <iostream>
#include <sstream>
#include <system_error>

#include <fmt/format.h>

#include "core/base/config.h"
#include "core/base/error.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/output.h"

namespace {

using gp::Error;
using gp::ErrorKind;
using gp::ExitCode;

ExitCode exit_code_for(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kBadInput:
      return ExitCode::kUsage;
    case ErrorKind::kNotFound:
      return ExitCode::kFailure;
    case ErrorKind::kConflict:
    case ErrorKind::kSchema:
      return ExitCode::kConfig;
    case ErrorKind::kBug:
      return ExitCode::kSoftware;
    default:
      return ExitCode::kUnavailable;
  }
}

/// Not a word where the reader has had enough: `generate-project runs | head`.
ExitCode tell_lost_output(const std::error_code& fault) {
  if (fault.value() != EPIPE)
    fmt::print(stderr, "generate-project: cannot write the output: {}\n", fault.message());
  return ExitCode::kUnavailable;
}

/// Runs one subcommand; whatever goes wrong becomes one message on stderr and an exit code.
ExitCode guarded(const gp::ctl::Chosen& command) {
  try {
    const ExitCode code = command();
    gp::ctl::flush_output();
    return code;
  } catch (const gp::ConfigError& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return ExitCode::kConfig;
  } catch (const Error& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return exit_code_for(error);
  } catch (const std::system_error& error) {
    if (gp::ctl::is_output_lost()) return tell_lost_output(error.code());
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return ExitCode::kSoftware;
  } catch (const std::exception& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return ExitCode::kSoftware;
  }
}

}  // namespace

int main(int argc, char** argv) {
  gp::ctl::occupy_closed_streams();
  CLI::App app("Classroom projects, written live and impossible to lose", "generate-project");
  gp::ctl::Chosen chosen;
  gp::ctl::add_commands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;  // std::cout would not say why it cannot write
    const ExitCode code = app.exit(error, text, std::cerr) == 0 ? ExitCode::kOk : ExitCode::kUsage;
    return gp::to_int(guarded([&] {
      fmt::print("{}", text.str());
      return code;
    }));
  }
  return gp::to_int(guarded(chosen));
}
