#include "core/generation/shipper.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "core/base/backoff.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::generation {
namespace {

constexpr std::size_t kBatchSteps =
    64;  ///< one transaction's steps: enough to amortise a slow fsync, short enough to hold row locks
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLongestRetry{5000};
/// A run whose project is locked holds the others up for a moment at each try.
constexpr std::chrono::milliseconds kLockedRetry{2000};
constexpr std::chrono::milliseconds kSpoolRetry{1000};

bool is_refused(runlog::WriteOutcome outcome) {
  return outcome == runlog::WriteOutcome::kFenced || outcome == runlog::WriteOutcome::kRefused;
}

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
  if (!overflow_.follow(step)) {
    try {
      outbox_.append(step);
    } catch (const Error& error) {
      report::report(report::SpoolFailed{error.what()});
      overflow_.keep(step);
    }
  }
  look_again();
}

void Shipper::check_log() {
  log_.doubt();
  look_again();
}

void Shipper::look_again() {
  const std::lock_guard lock(mutex_);
  has_work_ = true;
  is_idle_ = false;
  changed_.notify_all();
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
      restore_the_log();
      const Batch batch = take_batch();
      if (batch.steps.empty()) {
        wait_for_work(stop);
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
      if (error.kind() == ErrorKind::kSchema) {
        report::report(report::SchemaDoesNotFit{error.what()});
      } else {
        report::report(report::DatabaseLost{"shipper", error.what(), wait});
      }
      check_log();
      pause(stop, wait);
    }
  }
}

void Shipper::restore_the_log() {
  const std::vector<RunId> restored = log_.check();
  if (!restored.empty()) doorbell_.ring(restored);
}

void Shipper::wait_for_work(const std::stop_token& stop) {
  const auto next_look = find_next_look();
  const auto has_work = [this] { return has_work_; };
  std::unique_lock lock(mutex_);
  is_idle_ = !has_work_ && locked_.empty() && !is_spool_unread_;
  changed_.notify_all();
  if (next_look) {
    changed_.wait_until(lock, stop, *next_look, has_work);
  } else {
    changed_.wait(lock, stop, has_work);
  }
}

/// When to look again although no step has come.
std::optional<SteadyTime> Shipper::find_next_look() const {
  std::optional<SteadyTime> next;
  const auto note = [&](SteadyTime time) { next = next ? std::min(*next, time) : time; };
  for (const auto& [run_id, again] : locked_) note(again);
  if (is_spool_unread_ || is_spool_stuck_) note(steady_now() + kSpoolRetry);
  return next;
}

Shipper::Batch Shipper::take_batch() {
  {
    const std::lock_guard lock(mutex_);
    has_work_ = false;  // before looking: a step submitted from here on sets it again
  }
  const std::size_t in_memory = overflow_.size();
  empty_spool();
  const spool::Outbox::Beside beside = find_set_aside();
  Batch batch;
  read_outbox(beside, batch);
  take_from_memory(beside, in_memory, batch);
  return batch;
}

/// The runs that are not due yet, and the entries that the spool would have given up by now if it could.
spool::Outbox::Beside Shipper::find_set_aside() {
  spool::Outbox::Beside beside;
  const SteadyTime now = steady_now();
  std::erase_if(locked_, [now](const auto& entry) { return now >= entry.second; });
  for (const auto& [run_id, again] : locked_) beside.runs.push_back(run_id.str());
  beside.sequences = to_confirm_;
  beside.sequences.insert(beside.sequences.end(), to_refuse_.begin(), to_refuse_.end());
  return beside;
}

void Shipper::read_outbox(const spool::Outbox::Beside& beside, Batch& batch) {
  try {
    for (spool::OutboxEntry& entry : outbox_.pending(static_cast<int>(kBatchSteps), beside)) {
      batch.sequences.push_back(entry.sequence);
      batch.steps.push_back(std::move(entry.step));
    }
    if (std::exchange(is_spool_unread_, false)) report::report(report::SpoolBack{"outbox.pending"});
  } catch (const Error& error) {
    if (!std::exchange(is_spool_unread_, true)) report::report(report::SpoolFailed{error.what()});
  }
}

/// Of the first `count` steps in memory: what was submitted before them is in the outbox, and was read. Where
/// it could not be read the steps that follow something there have to wait.
void Shipper::take_from_memory(const spool::Outbox::Beside& beside, std::size_t count, Batch& batch) {
  // None where the batch is full: the outbox may have more.
  Overflow::Taken taken = overflow_.look({.count = count,
                                          .most = kBatchSteps - batch.steps.size(),
                                          .beside = beside.runs,
                                          .is_spool_unread = is_spool_unread_});
  batch.places = std::move(taken.places);
  std::ranges::move(taken.steps, std::back_inserter(batch.steps));
}

void Shipper::ship(const Batch& batch) {
  {
    const std::lock_guard lock(mutex_);
    has_work_ = true;  // there may be more than one batch, and this one may fail
  }
  settle(batch, log_.write(batch.steps));
}

void Shipper::settle(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes) {
  std::unordered_set<RunId> rung;
  std::uint64_t shipped = 0;
  for (std::size_t i = 0; i < batch.steps.size(); ++i) {
    const project::Step& step = batch.steps[i];
    const runlog::WriteOutcome outcome = outcomes.at(i);
    if (outcome == runlog::WriteOutcome::kLocked) {
      locked_[step.run_id] = steady_now() + kLockedRetry;
      continue;
    }
    locked_.erase(step.run_id);
    if (i < batch.sequences.size())
      (is_refused(outcome) ? to_refuse_ : to_confirm_).push_back(batch.sequences[i]);
    if (is_refused(outcome)) {
      lose(step);
      continue;
    }
    ++shipped;
    rung.insert(step.run_id);
    log_.note_confirmed(step);
    if (!step.end) continue;
    leases_.remove(step.run_id, step.token);
    on_end_();
  }
  log_.forget_the_ended();
  doorbell_.ring(std::vector<RunId>(rung.begin(), rung.end()));
  metrics::count(metrics::Counter::kStepsShipped, shipped);
  leave_memory(batch, outcomes);
  empty_spool();
}

void Shipper::lose(const project::Step& step) {
  if (leases_.mark_lost(step.run_id, step.token)) report::report(report::LeaseLost{step.run_id.str()});
  log_.forget(step);
}

/// What is decided waits for nothing any more, wherever it was.
void Shipper::leave_memory(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes) {
  std::vector<std::size_t> decided;
  for (std::size_t i = 0; i < batch.steps.size(); ++i) {
    if (outcomes.at(i) == runlog::WriteOutcome::kLocked) continue;
    if (i < batch.sequences.size()) {
      overflow_.forget_spooled(batch.steps[i]);
    } else {
      decided.push_back(batch.places[i - batch.sequences.size()]);
    }
  }
  overflow_.remove(decided);
}

/// A spool that cannot give up what is decided is asked again later; meanwhile nothing of it is sent again.
void Shipper::empty_spool() {
  try {
    if (!to_refuse_.empty()) outbox_.refuse(to_refuse_, wall_now());
    to_refuse_.clear();
    if (!to_confirm_.empty()) outbox_.confirm(to_confirm_);
    to_confirm_.clear();
    if (std::exchange(is_spool_stuck_, false)) report::report(report::SpoolBack{"outbox.confirm"});
  } catch (const Error& error) {
    if (!std::exchange(is_spool_stuck_, true)) report::report(report::SpoolFailed{error.what()});
  }
}

void Shipper::pause(const std::stop_token& stop, std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace gp::generation
