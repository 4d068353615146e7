// gp-bench [--quick] [--json FILE] [--only SCENARIO ...]: measures the service beside yardsticks in one run,
// prints one table and writes it as JSON. It has no opinion about speed: its exit status is 1 only where
// something was wrong.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <span>

#include <fmt/format.h>

#include "core/base/json.h"
#include "tests/bench/bench.h"
#include "tests/bench/interruption.h"

namespace {

constexpr bench::Scenario kScenarios[] = {
    {"health", "/health beside a bare FastCGI program and a static file", bench::run_health},
    {"status", "/status, 8 KiB and 304, beside a bare FastCGI program", bench::run_status},
    {"start", "POST /start of new and of known pairs, beside pgbench", bench::run_start},
    {"commits", "commits per second without a notification, with the doorbell, with NOTIFY inside",
     bench::run_commits},
    {"memory", "10,000 silent streams: memory of the handler and of nginx for each", bench::run_memory},
    {"one_thousand", "1,000 events/s, committed one by one, over 1,000 streams", bench::run_one_thousand},
    {"many_runs", "10,000 streams on 10,000 runs at 1 event/s each", bench::run_many_runs},
    {"fan_out", "one run to 5,000 and 10,000 streams, beside nchan", bench::run_fan_out},
    {"reconnect", "2,000 reconnects/s with Last-Event-ID on finished runs", bench::run_reconnect},
    {"generations", "500 generations on one worker process: delay of sections, memory",
     bench::run_generations},
};

[[noreturn]] void refuse(const std::string& problem) {
  std::cerr << "gp-bench: " << problem << "\nusage: gp-bench [--quick] [--json FILE] [--only SCENARIO ...]\n";
  for (const bench::Scenario& scenario : kScenarios) {
    std::cerr << fmt::format("  {:<13} {}\n", scenario.name, scenario.summary);
  }
  std::exit(64);
}

bool is_scenario(const std::string& name) {
  return std::ranges::any_of(kScenarios, [&](const bench::Scenario& each) { return each.name == name; });
}

bench::Options parse(std::span<char*> arguments) {
  bench::Options options;
  bool is_only = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string word = arguments[i];
    if (word == "--quick") {
      options.is_quick = true;
    } else if (word == "--only") {
      is_only = true;
    } else if (word == "--json" && i + 1 < arguments.size()) {
      options.json = arguments[++i];
    } else if (is_only && is_scenario(word)) {
      options.only.push_back(word);
    } else {
      refuse("'" + word + "' is not known");
    }
  }
  if (is_only && options.only.empty()) refuse("--only needs a scenario");
  return options;
}

bool is_wanted(const bench::Options& options, const std::string& name) {
  return options.only.empty() || std::ranges::find(options.only, name) != options.only.end();
}

void run(const bench::Scenario& scenario, const bench::Options& options, bench::Results& results) {
  std::cerr << fmt::format("== {}: {}\n", scenario.name, scenario.summary);
  bench::Report report(results, scenario.name);
  try {
    scenario.run(options, report);
  } catch (const std::exception& error) {
    report.fault(error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = parse({argv + 1, argv + argc});
  std::signal(SIGPIPE, SIG_IGN);
  bench::catch_interruptions();
  bench::Results results;
  for (const bench::Scenario& scenario : kScenarios) {
    if (is_wanted(options, scenario.name) && !bench::is_interrupted()) run(scenario, options, results);
  }
  if (bench::is_interrupted()) results.fault("interrupted");
  results.print(std::cout);
  std::ofstream file(options.json);
  file << gp::dump_json(results.to_json()) << '\n';
  if (!file.flush()) results.fault("cannot write " + options.json.string());
  return results.has_faults() ? 1 : 0;
}
