#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/results.h"

namespace bench {

struct Options {
  std::vector<std::string> only;  ///< scenarios; empty: all
  bool is_quick = false;  ///< a tenth of the streams, a fifth of the time: to see that everything works
  std::filesystem::path json = "bench.json";  ///< where the results go

  std::size_t streams(std::size_t full) const { return is_quick ? full / 10 : full; }
  std::chrono::milliseconds time(std::chrono::milliseconds full) const {
    return is_quick ? std::max(full / 5, std::chrono::milliseconds(2000)) : full;
  }
};

/// A scenario has a stack of its own, so that none sees what another has left in memory or on disk.
struct Scenario {
  const char* name;
  const char* summary;
  void (*run)(const Options&, Report&);
};

void run_health(const Options& options, Report& report);
void run_status(const Options& options, Report& report);
void run_start(const Options& options, Report& report);
void run_commits(const Options& options, Report& report);
void run_memory(const Options& options, Report& report);
void run_one_thousand(const Options& options, Report& report);
void run_many_runs(const Options& options, Report& report);
void run_fan_out(const Options& options, Report& report);
void run_reconnect(const Options& options, Report& report);
void run_generations(const Options& options, Report& report);

/// The settings of a scenario's stack: one events process for up to 12,000 streams, one worker. What the
/// environment says goes before it, and `more` before both.
std::map<std::string, std::string> stack_settings(const std::map<std::string, std::string>& more = {});

}  // namespace bench
