// Scenario generations: five hundred generations at once in one worker process, written by the simulated LLM.
// How late is a section at its client, counted from the moment in which its last byte left the LLM, and what
// does a running generation hold in memory?

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "tests/bench/bench.h"
#include "tests/bench/processes.h"
#include "tests/bench/streams.h"
#include "tests/support/crowd.h"
#include "tests/support/program.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

using std::chrono::seconds;

constexpr std::size_t kSections = 5;      ///< of a project of two hours
constexpr double kTokensPerSecond = 200;  ///< on average; from half of it to one and a half
constexpr const char* kName = "generation_";

double tokens_per_second(const Options& options) { return kTokensPerSecond * (options.is_quick ? 5 : 1); }

std::map<std::string, std::string> settings() {
  return stack_settings({{"WORKER_PROCESSES", "1"},
                         {"WORKER_CONCURRENCY", "500"},
                         {"RUNS_MAX_PER_OWNER", "0"},
                         {"QUEUE_MAX_RUNS", "0"},
                         {"SIM_LLM_CHUNK_TOKENS", "8"},
                         {"SIM_LLM_RATE_SPREAD", "0.5"}});
}

std::string start_run(const support::Stack& stack, std::size_t number) {
  gp::Json body = support::start_body(kName + std::to_string(number));
  body["duration_min"] = 120;
  return stack.start(body);
}

/// What the streams' clients have seen of the runs.
class Ledger {
 public:
  explicit Ledger(std::size_t runs) : sections_(runs) {}

  void note(const support::CrowdEvent& event) {
    if (event.name == "run_started") most_running_ = std::max(most_running_, ++running_);
    if (event.name == "run_completed") --running_, ++completed_;
    if (event.name == "error") --running_, ++failed_;
    if (event.name != "section_completed") return;
    const gp::Json data = gp::parse_json(std::string(event.data));
    sections_.at(event.client)[data.at("index").get<std::size_t>()] = event.received;
    first_ = std::min(first_, event.received);
    last_ = std::max(last_, event.received);
  }

  std::size_t ended() const noexcept { return completed_ + failed_; }
  std::size_t completed() const noexcept { return completed_; }
  std::size_t most_running() const noexcept { return most_running_; }
  const std::map<std::size_t, gp::SteadyTime>& sections_of(std::size_t run) const {
    return sections_.at(run);
  }

  double sections_per_second() const {
    std::size_t count = 0;
    for (const auto& sections : sections_) count += sections.size();
    return per_second(count, last_ - first_);
  }

 private:
  std::vector<std::map<std::size_t, gp::SteadyTime>>
      sections_;  ///< by the run's number and the section's index
  gp::SteadyTime first_ = gp::SteadyTime::max();
  gp::SteadyTime last_ = gp::SteadyTime::min();
  std::size_t running_ = 0;
  std::size_t most_running_ = 0;
  std::size_t completed_ = 0;
  std::size_t failed_ = 0;
};

/// The most that processes held, looked at once a second by a thread of its own.
class PeakMemory {
 public:
  explicit PeakMemory(std::vector<pid_t> pids)
      : pids_(std::move(pids)), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

  /// Ends the watch.
  Memory take() {
    thread_.request_stop();
    thread_.join();
    return peak_;
  }

 private:
  void watch(const std::stop_token& stop) {
    for (auto due = gp::steady_now(); !stop.stop_requested(); due += seconds(1)) {
      const Memory now = memory_of(pids_);
      peak_.rss_bytes = std::max(peak_.rss_bytes, now.rss_bytes);
      peak_.private_dirty_bytes = std::max(peak_.private_dirty_bytes, now.private_dirty_bytes);
      std::this_thread::sleep_until(due + seconds(1));
    }
  }

  std::vector<pid_t> pids_;
  Memory peak_;
  std::jthread thread_;  ///< last: it uses everything above
};

/// The number of the run that a call to the LLM was made for: the only thing there that tells is the topic.
std::size_t run_of(const gp::Json& call) {
  const gp::Json input =
      gp::parse_json(call.at("body").at("messages").back().at("content").get<std::string>());
  const std::string topic = input.at("topic").get<std::string>();
  return std::stoul(topic.substr(topic.rfind('_') + 1));
}

/// From the LLM's last byte of each section to the client's of its event.
Samples delays(const support::Stack& stack, const Ledger& ledger, std::size_t runs, Report& report) {
  Samples delays;
  std::uint64_t missing = 0;
  for (const gp::Json& call : stack.calls(kName)) {
    const std::size_t run = run_of(call);
    if (run == runs) continue;  // the one that warmed up
    const gp::Json& sent = call.at("sections_sent_at_ns");
    for (std::size_t index = 1; index <= sent.size(); ++index) {
      const auto received = ledger.sections_of(run).find(index);
      if (received == ledger.sections_of(run).end()) {
        ++missing;
        continue;
      }
      const gp::SteadyTime at{std::chrono::nanoseconds(sent[index - 1].get<std::int64_t>())};
      delays.add(received->second - at);
    }
  }
  report.fault_unless_zero(missing, "sections were sent by the LLM and did not come");
  return delays;
}

void check(const Ledger& ledger, const support::Crowd& crowd, Report& report) {
  report.fault_unless_zero(crowd.size() - ledger.completed(), "runs were not completed");
  std::uint64_t incomplete = 0;
  for (std::size_t run = 0; run < crowd.size(); ++run)
    incomplete += ledger.sections_of(run).size() != kSections;
  report.fault_unless_zero(incomplete, "runs had another number of sections than five");
  report_faults(crowd, report);
}

void add_memory(Report& report, const Memory& before, const Memory& peak, std::size_t runs) {
  const auto each = [&](long now, long then) {
    return static_cast<double>(now - then) / 1024 / static_cast<double>(runs);
  };
  report.figure("worker, RSS per generation", each(peak.rss_bytes, before.rss_bytes), "KiB", "<= 200");
  report.figure("worker, private dirty per generation",
                each(peak.private_dirty_bytes, before.private_dirty_bytes), "KiB");
}

/// One run, as fast as it goes, so that what is made at the first use is not counted as a generation's.
void warm_up(const support::Stack& stack, std::size_t number, double tokens_per_second) {
  stack.set_rate("", 0);
  stack.follow(start_run(stack, number));
  stack.set_rate("", tokens_per_second);
}

}  // namespace

void run_generations(const Options& options, Report& report) {
  const support::Stack stack(settings());
  const std::size_t count = options.streams(500);
  warm_up(stack, count, tokens_per_second(options));
  const std::vector<pid_t> workers = support::children_of(stack.pid_of("worker"));
  const Memory before = memory_of(workers);
  const double processor_before = processor_seconds_of(workers);
  PeakMemory peak(workers);

  Ledger ledger(count);
  support::CrowdOptions crowd_options;
  crowd_options.reconnects = false;
  crowd_options.on_event = [&](const support::CrowdEvent& event) { ledger.note(event); };
  support::Crowd crowd(stack.port(), crowd_options);
  for (std::size_t run = 0; run < count; ++run) crowd.add("/events/stream?run_id=" + start_run(stack, run));
  drive(
      crowd, [&] { return ledger.ended() == count && crowd.totals().open == 0; }, seconds(300));
  const Memory most = peak.take();
  const double processor_ms = 1000 * (processor_seconds_of(workers) - processor_before);

  report.figure("generations at once", static_cast<double>(ledger.most_running()), "", std::to_string(count));
  report.figure("sections", ledger.sections_per_second(), "1/s");
  report.times("section, LLM to client", delays(stack, ledger, count, report), "<= 10");
  report.figure("worker, processor for a generation", processor_ms / static_cast<double>(count), "ms");
  add_memory(report, before, most, count);
  check(ledger, crowd, report);
}

}  // namespace bench
