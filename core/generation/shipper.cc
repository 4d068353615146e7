#include "core/generation/shipper.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/backoff.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::generation {
namespace {

constexpr int kBatchSteps =
    64;  ///< one transaction's steps: enough to amortise a slow fsync, short enough to hold row locks
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLongestRetry{5000};

}  // namespace

Shipper::Shipper(const Config& config, spool::Outbox& outbox, LeaseBook& leases, std::function<void()> on_end)
    : outbox_(outbox),
      leases_(leases),
      on_end_(std::move(on_end)),
      writer_(config.database_url),
      doorbell_(config.database_url),
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
      const Batch batch = take_batch();
      if (batch.steps.empty()) {
        std::unique_lock lock(mutex_);
        is_idle_ = !has_work_;
        changed_.notify_all();
        changed_.wait(lock, stop, [this] { return has_work_; });
        continue;
      }
      ship(batch);
      if (std::exchange(is_away, false)) report::report(report::DatabaseBack{"shipper"});
      backoff.reset();
    } catch (const Error& error) {
      is_away = true;
      const auto wait = backoff.next();
      report::report(report::DatabaseLost{"shipper", error.what(), wait});
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
  settle(batch, writer_.write(batch.steps));
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
      continue;
    }
    ++shipped;
    rung.insert(step.run_id);
    if (!step.end) continue;
    leases_.remove(step.run_id);
    on_end_();
  }
  doorbell_.ring(std::vector<RunId>(rung.begin(), rung.end()));
  metrics::count(metrics::Counter::kStepsShipped, shipped);
  if (!fenced.empty()) outbox_.discard(fenced);
  if (!confirmed.empty()) outbox_.confirm(confirmed);
  if (!batch.sequences.empty()) return;
  const std::lock_guard lock(mutex_);
  unspooled_.erase(unspooled_.begin(), unspooled_.begin() + static_cast<std::ptrdiff_t>(batch.steps.size()));
}

void Shipper::pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  has_work_ = true;
  changed_.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace gp::generation
