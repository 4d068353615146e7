#include "core/runlog/run_canceller.h"

#include <array>
#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/run_ending.h"
#include "core/runlog/schema.h"
#include "core/runlog/stored_run.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr int kLeaseSeconds = 10;  ///< for the statements that end the run
constexpr const char* kOwner = "canceller";

using Kind = CancelOutcome::Kind;

}  // namespace

struct RunCanceller::Impl {
  Impl(const Secret& url, std::string csv_base_url, std::chrono::seconds lost)
      : sessions(url, "generate-project cancel", fitting_session(kReadPatience)),
        ender(url, std::move(csv_base_url)),
        lost_after(lost) {}

  /// The note stays whatever happens next: if this process dies after it, a worker ends the run.
  CancelOutcome cancel(const RunId& run_id) {
    pg::Session& session = sessions.get();
    const std::array<pg::Call, 4> calls = {
        {limit_lock_wait(kLockPatience, LockScope::kTransaction),
         {sql::kMarkCancelled, {run_id.str()}},
         {sql::kTakeCancelledRun, {run_id.str(), kOwner, lost_after.count(), kLeaseSeconds}},
         {sql::kFindRunState, {run_id.str()}}}};
    const auto answers = session.run_together(calls);
    const pg::Result& taken = answers[2];
    const pg::Result& found = answers[3];
    if (found.empty()) return {};
    if (!taken.empty() && ender.end(session, read_taken_run(taken, 0), cancelled()) == EndOutcome::kEnded)
      return {Kind::kEnded, "error", cancelled().code, true};
    const std::string state = found.text(0, "state");
    if (state == "running") {
      session.run(sql::kRing, {kCancelsChannel, ""});
      return {Kind::kStopping, state, {}, false};
    }
    return {Kind::kEnded, state, found.is_null(0, "error_code") ? "" : found.text(0, "error_code"), false};
  }

  pg::SessionHolder sessions;
  RunEnder ender;
  std::chrono::seconds lost_after;
};

std::string describe(const CancelOutcome& outcome) {
  if (outcome.kind == Kind::kUnknown) throw Error(ErrorKind::kBug, "an unknown run cannot be described");
  if (outcome.kind == Kind::kStopping) return "The run is being stopped.";
  if (outcome.error_code == cancelled().code) return "The run is cancelled.";
  if (outcome.state == "complete") return "The run was complete before it could be cancelled.";
  return "The run had ended in error before it could be cancelled.";
}

RunCanceller::RunCanceller(Secret database_url, std::string csv_base_url, std::chrono::seconds lost_after)
    : impl_(std::make_unique<Impl>(database_url, std::move(csv_base_url), lost_after)) {}
RunCanceller::~RunCanceller() = default;

CancelOutcome RunCanceller::cancel(const RunId& run_id) {
  for (bool is_second = false;; is_second = true) {
    try {
      return impl_->cancel(run_id);
    } catch (const Error& error) {
      // A session that idled through a restart of the database is found broken only now: once more. It may be
      // repeated: every statement asks for the state that it changes.
      impl_->sessions.drop();
      if (!is_away(error) || is_second || is_lock_timeout(error)) throw;
    }
  }
}

}  // namespace gp::runlog
