#include "core/generation/log_restorer.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "core/base/report.h"
#include "core/generation/known_events.h"

namespace gp::generation {
namespace {

constexpr std::size_t kCheckedAtOnce = 64;  ///< steps in one transaction
/// How far behind a standby may be, in time, and still lose nothing: of runs that have ended.
constexpr std::chrono::seconds kRememberEnded{60};

}  // namespace

std::vector<runlog::WriteOutcome> LogRestorer::write(const std::vector<project::Step>& steps) {
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
void LogRestorer::restore(const std::vector<project::Step>& steps, std::size_t first,
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

std::vector<RunId> LogRestorer::check() {
  if (!is_in_doubt_.exchange(false)) return {};
  std::vector<project::Step> steps;
  for (const auto& [run_id, newest] : newest_) steps.push_back(newest.step);
  std::vector<RunId> restored;
  for (std::size_t begin = 0; begin < steps.size(); begin += kCheckedAtOnce) {
    const std::vector<project::Step> part(
        steps.begin() + static_cast<std::ptrdiff_t>(begin),
        steps.begin() + static_cast<std::ptrdiff_t>(std::min(steps.size(), begin + kCheckedAtOnce)));
    const auto outcomes = write(part);
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (outcomes.at(i) == runlog::WriteOutcome::kWritten) restored.push_back(part[i].run_id);
      if (outcomes.at(i) == runlog::WriteOutcome::kLocked) doubt();
    }
  }
  return restored;
}

void LogRestorer::note_confirmed(const project::Step& step) {
  newest_.insert_or_assign(step.run_id, Newest{step, steady_now()});
}

void LogRestorer::forget(const project::Step& refused) {
  const auto newest = newest_.find(refused.run_id);
  if (newest != newest_.end() && newest->second.step.token == refused.token) newest_.erase(newest);
}

void LogRestorer::forget_the_ended() {
  const SteadyTime now = steady_now();
  std::erase_if(newest_, [&](const auto& entry) {
    return entry.second.step.end && now - entry.second.confirmed > kRememberEnded;
  });
}

}  // namespace gp::generation
