// Scenario fan_out: one run to very many streams, beside nchan doing the same without a log.

#include <fmt/format.h>

#include "core/runlog/doorbell.h"
#include "core/runlog/event_writer.h"
#include "tests/bench/bench.h"
#include "tests/bench/fan_out.h"
#include "tests/bench/health_probe.h"
#include "tests/bench/nchan_publisher.h"
#include "tests/bench/streams.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/log_runs.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMessageBytes = 1024;

struct Way {
  const char* name;
  std::optional<std::chrono::nanoseconds> period;
};
constexpr Way kBackToBack{"back to back", std::nullopt};
constexpr Way kPaced{"at 10/s", milliseconds(100)};
constexpr Way kBeyond{"at 20/s", milliseconds(50)};  ///< to ten thousand: more than either can pass on

/// Who publishes to how many, and in which way.
struct Round {
  const Options& options;
  Report& report;
  std::size_t streams;
  Way way;

  FanOutPlan plan(int port, std::string target) const {
    return {port, std::move(target), streams, options.time(seconds(10)), way.period};
  }
  std::string measure(const std::string& what) const {
    return fmt::format("{} streams {}, {}", streams, way.name, what);
  }
};

FanOutResult run(const Round& round, FanOutPlan plan, Publish publish,
                 const std::function<void(const support::Crowd&)>& note_faults) {
  FanOut fan_out(std::move(plan), std::move(publish));
  const FanOutResult result =
      fan_out.run([&](support::Crowd& crowd) { return open_all(crowd, round.report); }, note_faults);
  if (result.delivered != result.open * result.published) {
    round.report.fault(fmt::format("{} messages to {} streams made {} deliveries", result.published,
                                   result.open, result.delivered));
  }
  return result;
}

FanOutResult run_ours(const Round& round, const support::Stack& stack) {
  const gp::Secret url(stack.database_url());
  const support::LogRuns runs(url, 1);
  gp::runlog::EventWriter writer(url);
  gp::runlog::Doorbell doorbell(url);
  const gp::RunId run_id(runs.id(0));
  doorbell.ring(std::span(&run_id, 1));  // it connects at its first use
  const auto publish = [&](std::int64_t number) {
    const gp::project::Step step = runs.step(0, number, kMessageBytes);
    writer.write(std::span(&step, 1));
    const auto committed = gp::steady_now();
    doorbell.ring(std::span(&run_id, 1));
    return committed;
  };
  return run(round, round.plan(stack.port(), runs.target(0)), publish,
             [&](const support::Crowd& crowd) { report_faults(crowd, round.report); });
}

FanOutResult run_nchan(const Round& round, int port) {
  const std::string channel = gp::make_uuid();
  gp::Json message = {{"number", 0},
                      {"data", support::section_data(channel, "bench", 1, kMessageBytes - 30)}};
  NchanPublisher publisher(port, channel);
  const auto publish = [&](std::int64_t number) {
    message["number"] = number;
    const std::string text = gp::dump_json(message);
    const auto sent = gp::steady_now();
    publisher.publish(text);
    return sent;
  };
  // Its ids are not ours: the number of deliveries tells whether something was lost.
  return run(round, round.plan(port, "/subscribe?id=" + channel), publish, [](const support::Crowd&) {});
}

void compare(const Round& round, const support::Stack& stack, const YardstickNginx& yardsticks,
             HealthBeside& health) {
  const FanOutResult ours = health.during([&] { return run_ours(round, stack); });
  if (!yardsticks.has_nchan()) {
    round.report.figure(round.measure("streams opened"), ours.opened_per_second, "1/s");
    round.report.figure(round.measure("deliveries"), ours.deliveries_per_second, "1/s");
    round.report.times(round.measure("lag"), ours.lags);
    return;
  }
  const FanOutResult nchan = run_nchan(round, yardsticks.port());
  round.report.beside(round.measure("streams opened"), ours.opened_per_second, "1/s", nchan.opened_per_second,
                      "nchan");
  round.report.beside(round.measure("deliveries"), ours.deliveries_per_second, "1/s",
                      nchan.deliveries_per_second, "nchan");
  round.report.times_beside(round.measure("lag"), ours.lags, nchan.lags, "nchan");
}

}  // namespace

void run_fan_out(const Options& options, Report& report) {
  const support::Stack stack(stack_settings());
  const YardstickNginx yardsticks(stack);
  if (!yardsticks.has_nchan()) report.remark("nchan is not measured: that needs its module, and root");
  HealthBeside health(stack.port(), yardsticks.port());
  for (const std::size_t streams : {options.streams(5000), options.streams(10000)}) {
    for (const Way& way : {kBackToBack, kPaced, kBeyond})
      compare({options, report, streams, way}, stack, yardsticks, health);
  }
  health.report_to(report);
}

}  // namespace bench
