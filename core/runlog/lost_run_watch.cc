#include "core/runlog/lost_run_watch.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::runlog {
namespace {

constexpr const char* kUser = "lost_runs";

}  // namespace

LostRunWatch::LostRunWatch(End end, Limits limits)
    : end_(std::move(end)), limits_(limits), clock_(limits.outage_grace / 4) {}

void LostRunWatch::note_connection() { grace_from_ = steady_now(); }

std::vector<RunId> LostRunWatch::end_lost(const Sweep& sweep, SteadyTime asked) {
  if (clock_.has_jumped(sweep.database_clock, asked)) grace_from_ = steady_now();
  std::vector<RunId> tried;
  for (const RunId& run_id : sweep.lost) {
    if (!may_end() || !try_to_end(run_id)) break;
    tried.push_back(run_id);
  }
  return tried;
}

bool LostRunWatch::may_end() const {
  const SteadyTime now = steady_now();
  return now - grace_from_ >= limits_.outage_grace && now >= ends_from_;
}

/// False where it could not be tried. The workers may have been cut off in the same way while what is read
/// here was there all the time: they get the grace from now on to renew their leases.
bool LostRunWatch::try_to_end(const RunId& run_id) {
  try {
    note_end(run_id, end_(run_id));
  } catch (const Error& error) {
    grace_from_ = steady_now();
    if (std::exchange(can_end_, false))
      report::report(report::DatabaseLost{kUser, error.what(), limits_.outage_grace});
    return false;
  }
  if (!std::exchange(can_end_, true)) report::report(report::DatabaseBack{kUser});
  return true;
}

void LostRunWatch::note_end(const RunId& run_id, EndOutcome outcome) {
  if (outcome == EndOutcome::kLocked) ends_from_ = steady_now() + limits_.lock_rest;
  if (outcome != EndOutcome::kEnded) return;
  metrics::count(metrics::Counter::kRunsLost);
  report::report(report::RunEndedAsLost{run_id.str()});
}

}  // namespace gp::runlog
