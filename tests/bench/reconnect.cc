// Scenario reconnect: many clients a second come back to finished runs that this host has served already.

#include <thread>

#include <fmt/format.h>

#include "bench_sql.h"
#include "core/pg/session.h"
#include "core/runlog/event_writer.h"
#include "tests/bench/bench.h"
#include "tests/bench/health_probe.h"
#include "tests/bench/streams.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/crowd.h"
#include "tests/support/log_runs.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kRuns = 200;
constexpr std::int64_t kEvents = 20;
constexpr std::int64_t kCursor = 10;  ///< what the clients hold
constexpr double kRate = 2000;

void finish_all(const gp::Secret& url, const support::LogRuns& runs) {
  gp::runlog::EventWriter writer(url);
  for (std::size_t run = 0; run < runs.size(); ++run) {
    std::vector<gp::project::Step> steps;
    for (std::int64_t id = 1; id < kEvents; ++id) steps.push_back(runs.step(run, id));
    steps.push_back(runs.last_step(run, kEvents));
    writer.write(steps);
  }
}

/// Every run is read once from its begin, so that the host has served it.
void serve_once(const support::Stack& stack, const support::LogRuns& runs, Report& report) {
  support::Crowd crowd(stack.port());
  for (std::size_t i = 0; i < runs.size(); ++i) crowd.add(runs.target(i));
  if (!drive(
          crowd, [&] { return crowd.totals().done == crowd.size(); }, seconds(30)))
    report.fault("the runs could not be read");
}

/// Counts PostgreSQL's transactions. A session tells of its own with up to a second's delay: those of the
/// last second may be missing.
class Transactions {
 public:
  explicit Transactions(const gp::Secret& url) : session_(url, "bench"), before_(read()) {}
  std::int64_t so_far() { return read() - before_; }

 private:
  std::int64_t read() { return session_.run(gp::bench_sql::kReadTransactions).number(0, "transactions"); }
  gp::pg::Session session_;
  std::int64_t before_;
};

std::int64_t idle_transactions(const gp::Secret& url, milliseconds time) {
  Transactions transactions(url);
  std::this_thread::sleep_for(time);
  return transactions.so_far();
}

struct Wave {
  double done = 0;
  double seconds = 0;
  Samples times;
};

Wave run_wave(Report& report, const support::Stack& stack, const support::LogRuns& runs, milliseconds time) {
  Wave wave;
  support::CrowdOptions options;
  options.connects_per_second = kRate;
  options.reconnects = false;
  options.on_event = [&](const support::CrowdEvent& event) {
    if (event.id == kEvents) wave.times.add(event.received - event.asked);
  };
  support::Crowd crowd(stack.port(), options);
  const auto count = static_cast<std::size_t>(kRate * std::chrono::duration<double>(time).count());
  for (std::size_t i = 0; i < count; ++i) crowd.add(runs.target(i % kRuns), kCursor);
  const support::CrowdTotals& totals = crowd.totals();
  const auto begin = gp::steady_now();
  drive(
      crowd, [&] { return totals.done + totals.failed + totals.gone == count; }, time * 4);
  wave.seconds = std::chrono::duration<double>(gp::steady_now() - begin).count();
  wave.done = static_cast<double>(totals.done);
  const std::uint64_t expected = count * static_cast<std::uint64_t>(kEvents - kCursor);
  if (totals.events != expected)
    report.fault(fmt::format("{} events came, {} should", totals.events, expected));
  report_faults(crowd, report);
  return wave;
}

}  // namespace

void run_reconnect(const Options& options, Report& report) {
  const support::Stack stack(stack_settings());
  const gp::Secret url(stack.database_url());
  const support::LogRuns runs(url, kRuns);
  finish_all(url, runs);
  serve_once(stack, runs, report);
  const milliseconds time = options.time(seconds(10));
  std::this_thread::sleep_for(seconds(2));  // what has been done so far is counted
  const auto idle = static_cast<double>(idle_transactions(url, time));

  const YardstickNginx yardsticks(stack);
  HealthBeside health(stack.port(), yardsticks.port());
  Transactions transactions(url);
  const Wave wave = health.during([&] { return run_wave(report, stack, runs, time); });
  const auto used = static_cast<double>(transactions.so_far());
  health.report_to(report);
  report.figure("reconnects served", wave.done / wave.seconds, "1/s", fmt::format("asked {:.0f}", kRate));
  report.times("from connecting to the last event", wave.times);
  report.figure("PostgreSQL transactions for each", std::max(used - idle, 0.0) / std::max(wave.done, 1.0), "",
                "0");
}

}  // namespace bench
