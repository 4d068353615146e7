#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "core/base/config.h"
#include "core/process/pool.h"

namespace gp::process {

/// What tells one handler's program from another's.
struct HandlerSpec {
  std::string_view name;                       ///< "start": the socket is RUNTIME_DIR/start.sock
  std::string_view description;                ///< one line for --help
  std::span<const std::string_view> required;  ///< settings it cannot do without
  std::int64_t Config::*processes;             ///< its pool's size
  std::chrono::seconds Config::*drain;         ///< time for a child to finish
  bool has_socket = true;
  /// For run_pool(): reads the files that settings name. Throws Error(kBadInput) naming the file. The Config
  /// outlives what it returns.
  std::function<ChildLife(const Config&)> prepare;
};

/// HandlerSpec::prepare of a handler that reads no file: its children do what `live` says.
std::function<ChildLife(const Config&)> without_files(std::function<int(const Config&, const Child&)> live);

/// The main of every handler: --help (with every setting), --version, --check-config (the files as well);
/// reads the settings, sets the log level, runs the pool, in which each child counts in its slot's file under
/// RUNTIME_DIR. Whatever is wrong is one message on stderr and an exit code of exit_code.h.
int handler_main(int argc, char** argv, const HandlerSpec& spec);

}  // namespace gp::process
