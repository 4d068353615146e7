#include "core/generation/shipper.h"

#include <algorithm>
#include <set>
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
  if (!follow_into_memory(step)) {
    try {
      outbox_.append(step);
    } catch (const Error& error) {
      report::report(report::SpoolFailed{error.what()});
      const std::lock_guard lock(mutex_);
      forget_spooled(step);
      unspooled_.push_back(step);
    }
  }
  look_again();
}

/// While earlier steps of its run wait in memory a step queues up behind them, so that the order is kept.
/// Else it is the outbox's from here on.
bool Shipper::follow_into_memory(const project::Step& step) {
  const std::lock_guard lock(mutex_);
  const bool is_behind =
      std::ranges::any_of(unspooled_, [&](const project::Step& each) { return each.run_id == step.run_id; });
  if (is_behind) {
    unspooled_.push_back(step);
  } else {
    ++spooled_[step.token.str()];
  }
  return is_behind;
}

void Shipper::forget_spooled(const project::Step& step) {
  const auto found = spooled_.find(step.token.str());
  if (found != spooled_.end() && --found->second == 0) spooled_.erase(found);
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
  std::size_t in_memory = 0;
  {
    const std::lock_guard lock(mutex_);
    has_work_ = false;  // before looking: a step submitted from here on sets it again
    in_memory = unspooled_.size();
  }
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
    for (spool::OutboxEntry& entry : outbox_.pending(kBatchSteps, beside)) {
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
  if (batch.steps.size() == kBatchSteps) return;  // the outbox may have more
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < count && batch.steps.size() < kBatchSteps; ++place) {
    const project::Step& step = unspooled_[place];
    if (std::ranges::find(beside.runs, step.run_id.str()) != beside.runs.end()) continue;
    if (is_spool_unread_ && spooled_.contains(step.token.str())) continue;
    batch.places.push_back(place);
    batch.steps.push_back(step);
  }
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
  auto outcomes = writer_.write_around_locks(steps);
  std::set<std::string> seen;  // leases
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (outcomes.at(i) == runlog::WriteOutcome::kFenced && seen.insert(steps[i].token.str()).second)
      restore(steps, i, outcomes);
  }
  return outcomes;
}

/// The steps of one run under one lease, from `first` on, were refused. Not because somebody else has the
/// run, but because the log has lost the events before them? Then it gets them again, and the steps behind
/// them.
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
  const auto written = writer_.write_around_locks(again);
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
      if (outcomes.at(i) != runlog::WriteOutcome::kLocked) continue;
      const std::lock_guard lock(mutex_);
      is_log_in_doubt_ = true;
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
    note_newest(step);
    if (!step.end) continue;
    leases_.remove(step.run_id, step.token);
    on_end_();
  }
  forget_the_ended();
  doorbell_.ring(std::vector<RunId>(rung.begin(), rung.end()));
  metrics::count(metrics::Counter::kStepsShipped, shipped);
  leave_memory(batch, outcomes);
  empty_spool();
}

void Shipper::lose(const project::Step& step) {
  if (leases_.mark_lost(step.run_id, step.token)) report::report(report::LeaseLost{step.run_id.str()});
  const auto newest = newest_.find(step.run_id);
  if (newest != newest_.end() && newest->second.step.token == step.token) newest_.erase(newest);
}

/// What is decided waits for nothing any more, wherever it was.
void Shipper::leave_memory(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = batch.steps.size(); i-- > 0;) {
    if (outcomes.at(i) == runlog::WriteOutcome::kLocked) continue;
    if (i < batch.sequences.size()) {
      forget_spooled(batch.steps[i]);
    } else {
      const std::size_t place = batch.places[i - batch.sequences.size()];
      unspooled_.erase(unspooled_.begin() + static_cast<std::ptrdiff_t>(place));
    }
  }
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
