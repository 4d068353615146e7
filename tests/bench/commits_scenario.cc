// Scenario commits: what telling readers costs the writers. No reader, no nginx: a PostgreSQL of its own.

#include <fmt/format.h>

#include "tests/bench/bench.h"
#include "tests/bench/commits.h"
#include "tests/bench/private_database.h"

namespace bench {
namespace {

struct Rates {
  double silent = 0;
  double doorbell = 0;
  double inside = 0;
  double pgbench = 0;
};

Rates measure(const Options& options, const gp::Secret& url, std::size_t writers) {
  const auto time = options.time(std::chrono::seconds(5));
  const Listeners listener(url, 1);
  return {commits_per_second(url, writers, Ring::kNone, time),
          commits_per_second(url, writers, Ring::kDoorbell, time),
          commits_per_second(url, writers, Ring::kInside, time),
          pgbench_commits_per_second(url, writers, time)};
}

void add(Report& report, std::size_t writers, const Rates& rates) {
  const std::string who = fmt::format("{} {}, ", writers, writers == 1 ? "writer" : "writers");
  report.beside(who + "no notification", rates.silent, "1/s", rates.pgbench, "pgbench");
  report.beside(who + "doorbell", rates.doorbell, "1/s", rates.silent, "no notification");
  report.beside(who + "doorbell", rates.doorbell, "1/s", rates.inside, "NOTIFY inside");
}

}  // namespace

void run_commits(const Options& options, Report& report) {
  const PrivateDatabase database;
  const gp::Secret& url = database.url();
  for (const std::size_t writers : {1, 8, 32}) add(report, writers, measure(options, url, writers));
  for (const std::size_t count : {1, 4, 16}) {
    const Listeners listeners(url, count);
    const auto time = options.time(std::chrono::seconds(5));
    report.figure(fmt::format("8 writers, doorbell, {} listeners", count),
                  commits_per_second(url, 8, Ring::kDoorbell, time), "1/s");
  }
}

}  // namespace bench
