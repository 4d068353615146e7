#include "core/runlog/unseen_projects.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/error.h"
#include "core/base/report.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/rebuilt_document.h"

namespace gp::runlog {
namespace {

constexpr std::size_t kMost = 1000;
constexpr std::size_t kMostAtOnce = 16;  ///< nobody's lease is renewed meanwhile
constexpr std::chrono::seconds kRest{2};

}  // namespace

UnseenProjects::UnseenProjects(std::string csv_base_url) : csv_base_url_(std::move(csv_base_url)) {}

void UnseenProjects::add(const RunId& run_id) {
  if (runs_.size() == kMost) {
    report::report(report::ProjectNotWritten{runs_.front().str(), {}});
    runs_.pop_front();
  }
  runs_.push_back(run_id);
}

void UnseenProjects::store_some(pg::Session& session) {
  if (steady_now() < not_before_) return;
  for (std::size_t left = std::min(runs_.size(), kMostAtOnce); left > 0; --left) {
    const RunId run_id = runs_.front();
    try {
      store_rebuilt_document(session, run_id, csv_base_url_, kShortLockPatience);
      runs_.pop_front();
    } catch (const Error& error) {
      if (is_lock_timeout(error)) {
        runs_.pop_front();
        runs_.push_back(run_id);  // one project that stays locked holds up no other
        not_before_ = steady_now() + kRest;
        return;
      }
      if (is_away(error) && !is_right_missing(error)) throw;
      report::report(report::ProjectNotWritten{run_id.str(), error.code()});
      runs_.pop_front();
    }
  }
}

}  // namespace gp::runlog
