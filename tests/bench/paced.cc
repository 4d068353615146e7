// Scenarios many_runs and one_thousand: events that fall due one after the other on many runs, each with one
// stream.

#include <fmt/format.h>

#include "tests/bench/bench.h"
#include "tests/bench/health_probe.h"
#include "tests/bench/streams.h"
#include "tests/bench/writer_crew.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/crowd.h"
#include "tests/support/log_runs.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

using std::chrono::seconds;

struct Targets {
  std::string p50;
  std::string p99;
};

void add(Report& report, const WriterCrew& crew, const support::Crowd& crowd, const LagBook& book) {
  const auto committed = static_cast<double>(crew.committed());
  const auto commits = static_cast<double>(std::max<std::uint64_t>(crew.commits(), 1));
  const double delivered = 100.0 * static_cast<double>(book.receipts()) / std::max(committed, 1.0);
  report.figure("events in one commit", committed / commits, "");
  report.figure("of the committed events were delivered", delivered, "%", "100");
  if (book.receipts() != crew.committed())
    report.fault(fmt::format("{} events committed, {} delivered", crew.committed(), book.receipts()));
  report.fault_unless_zero(crew.wrong(), "steps were not written");
  report_faults(crowd, report);
}

void run_paced(Report& report, std::size_t streams, const CrewPlan& plan, const Targets& targets) {
  const support::Stack stack(stack_settings());
  const gp::Secret url(stack.database_url());
  const support::LogRuns runs(url, streams);
  const YardstickNginx yardsticks(stack);
  HealthBeside health(stack.port(), yardsticks.port());
  LagBook book(runs.size(), plan.events_each);
  support::CrowdOptions options;
  options.reconnects = false;
  options.on_event = [&](const support::CrowdEvent& event) {
    book.received(event.client, event.id, event.received);
  };
  support::Crowd crowd(stack.port(), options);
  for (std::size_t i = 0; i < runs.size(); ++i) crowd.add(runs.target(i));
  open_all(crowd, report);

  WriterCrew crew(url, runs, plan, book);
  health.during([&] {
    drive(
        crowd, [&] { return crew.is_done(); }, plan.time() * 4);
    crew.join();
    drive(
        crowd, [&] { return crowd.totals().events >= crew.committed(); }, seconds(10));
  });

  const double asked = per_second(streams * plan.events_each, plan.time());
  report.figure("events committed", per_second(crew.committed(), crew.took()), "1/s",
                fmt::format("asked {:.0f}", asked));
  const Samples lags = book.lags();
  report.times("lag from commit to client", lags, targets.p50, targets.p99);
  report.figure("lag from commit to client max", lags.max(), "ms");
  add(report, crew, crowd, book);
  health.report_to(report);
}

std::size_t rounds(const Options& options) {
  return static_cast<std::size_t>(std::chrono::duration_cast<seconds>(options.time(seconds(15))).count());
}

}  // namespace

void run_many_runs(const Options& options, Report& report) {
  run_paced(report, options.streams(10000), {.events_each = rounds(options)}, {"<= 5", "<= 25"});
}

void run_one_thousand(const Options& options, Report& report) {
  const CrewPlan plan{.events_each = rounds(options), .most_in_one_commit = 1};
  run_paced(report, options.streams(1000), plan, {"<= 1", "<= 4"});
}

}  // namespace bench
