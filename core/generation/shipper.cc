#include "core/generation/shipper.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/backoff.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/generation/known_events.h"

namespace gp::generation {
namespace {

constexpr int kBatchSteps =
    64;  ///< one transaction's steps: enough to amortise a slow fsync, short enough to hold row locks
/// How far behind a standby may be, in time, and still lose nothing: of runs that have ended.
constexpr std::chrono::seconds kRememberEnded{60};
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLongestRetry{5000};

}  // namespace

Shipper::Shipper(const Config& config, spool::Outbox& outbox, LeaseBook& leases, PoolDoorbell& doorbell,
                 std::function<void()> on_end)
    : outbox_(outbox),
      leases_(leases),
      doorbell_(doorbell),
      on_end_(std::move(on_end)),
      writer_(config.database_url),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Shipper::~Shipper() = default;

void Shipper::submit(const project::Step& step) {
  if (!follow_into_memory(step)) {
    try {
      outbox_.append(step);
    } catch (const Error& error) {
      report::report(report::SpoolFailed{error.what()});
      const std::lock_guard lock(mutex_);
      unspooled_.push_back(step);
    }
  }
  look_again();
}

void Shipper::check_log() {
  {
    const std::lock_guard lock(mutex_);
    is_log_in_doubt_ = true;
  }
  look_again();
}

void Shipper::look_again() {
  const std::lock_guard lock(mutex_);
  has_work_ = true;
  is_idle_ = false;
  changed_.notify_all();
}

/// While earlier steps wait in memory, later ones queue up behind them, so that the order is kept.
bool Shipper::follow_into_memory(const project::Step& step) {
  const std::lock_guard lock(mutex_);
  if (unspooled_.empty()) return false;
  unspooled_.push_back(step);
  return true;
}

bool Shipper::wait_until_empty(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return is_idle_; });
}

void Shipper::run(const std::stop_token& stop) {
  Backoff backoff(kFirstRetry, kLongestRetry);
  bool is_away = false;
  while (!stop.stop_requested()) {
    try {
      check_newest();
      const Batch batch = take_batch();
      if (batch.steps.empty()) {
        std::unique_lock lock(mutex_);
        is_idle_ = !has_work_;
        changed_.notify_all();
        changed_.wait(lock, stop, [this] { return has_work_; });
        continue;
      }
      const SteadyTime begun = steady_now();
      ship(batch);
      const auto took = steady_now() - begun;
      if (std::exchange(is_away, false)) report::report(report::DatabaseBack{"shipper"});
      backoff.reset();
      pause(stop, runlog::rest_after(batch.steps.size(), took));
    } catch (const Error& error) {
      is_away = true;
      const auto wait = backoff.next();
      report::report(report::DatabaseLost{"shipper", error.what(), wait});
      check_log();
      pause(stop, wait);
    }
  }
}

Shipper::Batch Shipper::take_batch() {
  {
    const std::lock_guard lock(mutex_);
    has_work_ = false;  // before looking: a step submitted from here on sets it again
  }
  Batch batch;
  for (spool::OutboxEntry& entry : outbox_.pending(kBatchSteps)) {
    batch.sequences.push_back(entry.sequence);
    batch.steps.push_back(std::move(entry.step));
  }
  if (!batch.steps.empty()) return batch;
  const std::lock_guard lock(mutex_);
  const auto count = std::min<std::size_t>(unspooled_.size(), kBatchSteps);
  batch.steps.assign(unspooled_.begin(), unspooled_.begin() + static_cast<std::ptrdiff_t>(count));
  return batch;
}

void Shipper::ship(const Batch& batch) {
  {
    const std::lock_guard lock(mutex_);
    has_work_ = true;  // there may be more than one batch, and this one may fail
  }
  settle(batch, write(batch.steps));
}

/// Writes the steps, and with those of a run that the log is behind for what it lacks before them.
std::vector<runlog::WriteOutcome> Shipper::write(const std::vector<project::Step>& steps) {
  auto outcomes = writer_.write(steps);
  std::unordered_set<RunId> seen;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (outcomes.at(i) == runlog::WriteOutcome::kFenced && seen.insert(steps[i].run_id).second)
      restore(steps, i, outcomes);
  }
  return outcomes;
}

/// The steps of one run from `first` on were refused. Not because somebody else has the run, but because the
/// log has lost the events before them? Then it gets them again, and the steps behind them.
void Shipper::restore(const std::vector<project::Step>& steps, std::size_t first,
                      std::vector<runlog::WriteOutcome>& outcomes) {
  const project::Step& step = steps[first];
  const auto last_id = writer_.find_last_id_if_behind(step);
  if (!last_id) return;
  auto again = steps_between(outbox_, step.run_id, step.token, *last_id, step.event.id - 1);
  const std::size_t lost = again.size();
  if (lost == 0) return;
  std::vector<std::size_t> places;
  for (std::size_t i = first; i < steps.size(); ++i) {
    if (steps[i].run_id != step.run_id || steps[i].token != step.token) continue;
    again.push_back(steps[i]);
    places.push_back(i);
  }
  report::report(report::EventsRestored{step.run_id.str(), static_cast<std::int64_t>(lost)});
  const auto written = writer_.write(again);
  for (std::size_t i = 0; i < places.size(); ++i) outcomes[places[i]] = written.at(lost + i);
}

/// After a lost connection: does the log still have what it had confirmed? Steps of runs that have ended are
/// asked about as well, for a while: nobody would write to those again.
void Shipper::check_newest() {
  {
    const std::lock_guard lock(mutex_);
    if (!is_log_in_doubt_) return;
    is_log_in_doubt_ = false;
  }
  std::vector<project::Step> steps;
  for (const auto& [run_id, newest] : newest_) steps.push_back(newest.step);
  std::vector<RunId> restored;
  for (std::size_t begin = 0; begin < steps.size(); begin += kBatchSteps) {
    const std::vector<project::Step> part(
        steps.begin() + static_cast<std::ptrdiff_t>(begin),
        steps.begin() + static_cast<std::ptrdiff_t>(std::min(steps.size(), begin + kBatchSteps)));
    const auto outcomes = write(part);
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (outcomes.at(i) == runlog::WriteOutcome::kWritten) restored.push_back(part[i].run_id);
    }
  }
  if (!restored.empty()) doorbell_.ring(restored);
}

void Shipper::note_newest(const project::Step& step) {
  newest_.insert_or_assign(step.run_id, Newest{step, steady_now()});
}

void Shipper::forget_the_ended() {
  const SteadyTime now = steady_now();
  std::erase_if(newest_, [&](const auto& entry) {
    return entry.second.step.end && now - entry.second.confirmed > kRememberEnded;
  });
}

void Shipper::settle(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes) {
  std::unordered_set<RunId> rung;
  std::uint64_t shipped = 0;
  std::vector<std::int64_t> confirmed;
  std::vector<std::int64_t> fenced;
  for (std::size_t i = 0; i < batch.steps.size(); ++i) {
    const project::Step& step = batch.steps[i];
    const bool is_fenced = outcomes.at(i) == runlog::WriteOutcome::kFenced;
    if (!batch.sequences.empty()) (is_fenced ? fenced : confirmed).push_back(batch.sequences[i]);
    if (is_fenced) {
      if (leases_.mark_lost(step.run_id, step.token)) report::report(report::LeaseLost{step.run_id.str()});
      newest_.erase(step.run_id);
      continue;
    }
    ++shipped;
    rung.insert(step.run_id);
    note_newest(step);
    if (!step.end) continue;
    leases_.remove(step.run_id);
    on_end_();
  }
  forget_the_ended();
  doorbell_.ring(std::vector<RunId>(rung.begin(), rung.end()));
  metrics::count(metrics::Counter::kStepsShipped, shipped);
  if (!fenced.empty()) outbox_.refuse(fenced, wall_now());
  if (!confirmed.empty()) outbox_.confirm(confirmed);
  if (!batch.sequences.empty()) return;
  const std::lock_guard lock(mutex_);
  unspooled_.erase(unspooled_.begin(), unspooled_.begin() + static_cast<std::ptrdiff_t>(batch.steps.size()));
}

void Shipper::pause(const std::stop_token& stop, std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace gp::generation
