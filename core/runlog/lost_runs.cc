#include "core/runlog/lost_runs.h"

#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/project/document.h"
#include "core/project/step.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/stored_run.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr int kLeaseSeconds = 10;  ///< for the two statements that end the run
constexpr const char* kOwner = "reader";
constexpr const char* kCode = "worker_lost";
constexpr const char* kMessage = "the worker is gone and no other one has taken the run over";

/// The error event after what the run has, and the document with it. What the lost worker's call cost is not
/// known: nothing is added to the run's sums.
project::Step ending_step(const RunId& run_id, const LeaseToken& token, const ProjectId& project_id,
                          std::int64_t last_id, project::Document& document) {
  const Json members = {{"code", kCode}, {"message", kMessage}, {"stage", "run"}, {"retryable", true}};
  project::Step step{run_id,
                     token,
                     {last_id + 1, project::EventType::kError,
                      project::event_data(run_id, project_id, format_rfc3339(wall_now()), members)},
                     {},
                     project::RunEnd{.complete = false,
                                     .error_code = kCode,
                                     .error_message = kMessage,
                                     .usage = {0, 0, 0},
                                     .cost_usd = 0.0,
                                     .llm_calls = 0}};
  document.apply(step.event);
  step.document = dump_json(document.json());
  return step;
}

}  // namespace

struct LostRuns::Impl {
  Impl(const Secret& url, std::string csv_base)
      : sessions(url, "generate-project lost runs"), writer(url), csv_base_url(std::move(csv_base)) {}

  bool end(const RunId& run_id, std::chrono::seconds lost_after) {
    pg::Session& session = sessions.get();
    const auto taken =
        session.run(sql::kTakeLostRun, {run_id.str(), kOwner, lost_after.count(), kLeaseSeconds});
    if (taken.empty()) return false;
    const auto request = restore_request(taken, 0);
    project::Document document(run_id, request, project::csv_url(csv_base_url, run_id));
    std::int64_t last_id = 0;
    for (const project::Event& event : read_events(session, run_id)) {
      document.apply(event);
      last_id = event.id;
    }
    const auto step =
        ending_step(run_id, LeaseToken(taken.text(0, "lease_token")), request.project_id, last_id, document);
    return writer.write(std::span(&step, 1)).front() == WriteOutcome::kWritten;
  }

  pg::SessionHolder sessions;
  EventWriter writer;
  std::string csv_base_url;
};

LostRuns::LostRuns(Secret database_url, std::string csv_base_url)
    : impl_(std::make_unique<Impl>(database_url, std::move(csv_base_url))) {}
LostRuns::~LostRuns() = default;

bool LostRuns::end(const RunId& run_id, std::chrono::seconds lost_after) {
  try {
    return impl_->end(run_id, lost_after);
  } catch (const Error&) {
    impl_->sessions.drop();
    throw;
  }
}

}  // namespace gp::runlog
