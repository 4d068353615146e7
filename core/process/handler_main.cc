#include "core/process/handler_main.h"

#include <cstdio>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/base/exit_code.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::process {
namespace {

constexpr std::chrono::seconds kGrace{
    15};  ///< a child ends by itself within its drain time; only a stuck one is killed

int complain(std::string_view program, const std::exception& error, ExitCode code) {
  fmt::print(stderr, "gp-{}: {}\n", program, error.what());
  return to_int(code);
}

int run(const HandlerSpec& spec, bool only_check) {
  const Config config = load_config(process_environment(), spec.required);
  if (only_check) {
    spec.prepare(config);
    return to_int(ExitCode::kOk);
  }
  report::set_level(report::parse_level(config.log_level));
  PoolOptions options;
  options.name = spec.name;
  if (spec.has_socket) options.socket_path = fmt::format("{}/{}.sock", config.runtime_dir, spec.name);
  options.processes = static_cast<int>(config.*spec.processes);
  options.drain = config.*spec.drain + kGrace;
  return run_pool(options, [&] {
    return [&, live = spec.prepare(config)](const Child& child) {
      metrics::attach(metrics::slot_file(config.runtime_dir, spec.name, child.slot));
      return live(child);
    };
  });
}

}  // namespace

std::function<ChildLife(const Config&)> without_files(std::function<int(const Config&, const Child&)> live) {
  return [live = std::move(live)](const Config& config) {
    return [&config, live](const Child& child) { return live(config, child); };
  };
}

int handler_main(int argc, char** argv, const HandlerSpec& spec) {
  CLI::App app(std::string(spec.description), fmt::format("gp-{}", spec.name));
  app.set_version_flag("--version", GP_VERSION);
  app.footer([] { return settings_help(); });
  bool only_check = false;
  app.add_flag("--check-config", only_check,
               "Read the settings and the files they name, say what is wrong with them, and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? to_int(ExitCode::kOk) : to_int(ExitCode::kUsage);
  }
  try {
    return run(spec, only_check);
  } catch (const ConfigError& error) {
    return complain(spec.name, error, ExitCode::kConfig);
  } catch (const Error& error) {
    return complain(spec.name, error,
                    error.kind() == ErrorKind::kBadInput ? ExitCode::kConfig : ExitCode::kUnavailable);
  } catch (const std::exception& error) {
    return complain(spec.name, error, ExitCode::kSoftware);
  }
}

}  // namespace gp::process
