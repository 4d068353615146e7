// Scenario memory: what a stream costs while nothing happens on it.

#include <algorithm>
#include <thread>

#include "core/runlog/doorbell.h"
#include "core/runlog/event_writer.h"
#include "tests/bench/bench.h"
#include "tests/bench/health_probe.h"
#include "tests/bench/processes.h"
#include "tests/bench/streams.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/crowd.h"
#include "tests/support/log_runs.h"
#include "tests/support/program.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

struct Held {
  Memory handler;
  Memory nginx;
};

Held measure(const support::Stack& stack) {
  return {memory_of(support::children_of(stack.pid_of("events"))),
          memory_of(support::children_of(stack.pid_of("nginx")))};
}

/// One stream opened and closed, so that what is made at the first use is not counted as a stream's.
void warm_up(const support::Stack& stack, const support::LogRuns& runs) {
  support::CrowdOptions options;
  options.reconnects = false;
  support::Crowd crowd(stack.port(), options);
  for (std::size_t i = 0; i < 10; ++i) crowd.add(runs.target(0));
  drive(
      crowd, [&] { return crowd.totals().open == crowd.size(); }, std::chrono::seconds(10));
}

/// Every run gets one event, so that it shows whether its stream is served.
void write_one_each(const support::Stack& stack, const support::LogRuns& runs) {
  const gp::Secret url(stack.database_url());
  gp::runlog::EventWriter writer(url);
  gp::runlog::Doorbell doorbell(url);
  std::vector<gp::project::Step> steps;
  std::vector<gp::RunId> names;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    steps.push_back(runs.step(i, 1));
    names.push_back(steps.back().run_id);
    if (steps.size() < 64 && i + 1 < runs.size()) continue;
    writer.write(steps);
    doorbell.ring(names);
    steps.clear();
    names.clear();
  }
}

void add(Report& report, const Held& before, const Held& after, std::size_t streams) {
  const auto each = [&](long now, long then) {
    return static_cast<double>(now - then) / 1024 / static_cast<double>(std::max<std::size_t>(streams, 1));
  };
  const auto add = [&](const std::string& whose, const Memory& now, const Memory& then,
                       const std::string& target) {
    report.figure(whose + ", RSS per stream", each(now.rss_bytes, then.rss_bytes), "KiB", target);
    report.figure(whose + ", private dirty per stream",
                  each(now.private_dirty_bytes, then.private_dirty_bytes), "KiB");
  };
  add("handler", after.handler, before.handler, "<= 1");
  add("nginx", after.nginx, before.nginx, "<= 12");
}

std::size_t open_streams(support::Crowd& crowd, const support::LogRuns& runs, Report& report) {
  for (std::size_t i = 0; i < runs.size(); ++i) crowd.add(runs.target(i));
  const auto begin = gp::steady_now();
  const std::size_t open = open_all(crowd, report);
  const auto took = gp::steady_now() - begin;
  report.figure("streams open", static_cast<double>(open), "", std::to_string(runs.size()));
  report.figure("streams opened", per_second(open, took), "1/s", "asked 2000");
  return open;
}

void check_served(const support::Stack& stack, const support::LogRuns& runs, support::Crowd& crowd,
                  Report& report) {
  const std::size_t open = crowd.totals().open;
  std::jthread writer([&] { write_one_each(stack, runs); });
  drive(
      crowd, [&] { return crowd.totals().events >= open; }, std::chrono::seconds(60));
  writer.join();
  report.figure("streams that got their event", static_cast<double>(crowd.totals().events), "",
                std::to_string(open));
  if (crowd.totals().events != open) report.fault("streams were open and not served");
  report_faults(crowd, report);
}

}  // namespace

void run_memory(const Options& options, Report& report) {
  const support::Stack stack(stack_settings());
  const support::LogRuns runs(gp::Secret(stack.database_url()), options.streams(10000));
  warm_up(stack, runs);
  const YardstickNginx yardsticks(stack);
  HealthBeside health(stack.port(), yardsticks.port());
  const Held before = measure(stack);
  support::CrowdOptions crowd_options;
  crowd_options.reconnects = false;
  support::Crowd crowd(stack.port(), crowd_options);
  health.during([&] {
    const std::size_t open = open_streams(crowd, runs, report);
    crowd.run_for(options.time(std::chrono::seconds(5)));
    add(report, before, measure(stack), open);
    check_served(stack, runs, crowd, report);
  });
  health.report_to(report);
}

}  // namespace bench
