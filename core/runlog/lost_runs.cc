#include "core/runlog/lost_runs.h"

#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/run_ending.h"
#include "core/runlog/schema.h"
#include "core/runlog/stored_run.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr int kLeaseSeconds = 10;  ///< for the statements that end the run
constexpr const char* kOwner = "reader";

}  // namespace

struct LostRuns::Impl {
  Impl(const Secret& url, std::string csv_base_url)
      : sessions(url, "generate-project lost runs", fitting_session(kReadPatience)),
        ender(url, std::move(csv_base_url)) {}

  EndOutcome end(const RunId& run_id, std::chrono::seconds lost_after) {
    pg::Session& session = sessions.get();
    const auto taken =
        session.run(sql::kTakeLostRun, {run_id.str(), kOwner, lost_after.count(), kLeaseSeconds});
    if (taken.empty()) return EndOutcome::kNotOurs;
    const bool is_cancelled = taken.flag(0, "is_cancelled");
    return ender.end(session, read_taken_run(taken, 0), is_cancelled ? cancelled() : worker_lost());
  }

  pg::SessionHolder sessions;
  RunEnder ender;
};

LostRuns::LostRuns(Secret database_url, std::string csv_base_url)
    : impl_(std::make_unique<Impl>(database_url, std::move(csv_base_url))) {}
LostRuns::~LostRuns() = default;

EndOutcome LostRuns::end(const RunId& run_id, std::chrono::seconds lost_after) {
  try {
    return impl_->end(run_id, lost_after);
  } catch (const Error&) {
    impl_->sessions.drop();
    throw;
  }
}

}  // namespace gp::runlog
