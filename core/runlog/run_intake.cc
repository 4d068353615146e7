#include "core/runlog/run_intake.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr int kMaxRounds = 5;  ///< each round loses only to another caller that made progress

using Kind = StartOutcome::Kind;

const StartOutcome kFull{Kind::kQueueFull, {}, false};

}  // namespace

struct RunIntake::Impl {
  Impl(Secret url, std::int64_t most)
      : sessions(std::move(url), "generate-project start", require_schema), queue_max(most) {}

  /// The three statements of a round are one transaction each: whichever of several callers inserts or
  /// restarts the run, the unique constraint and the row's state decide.
  std::optional<StartOutcome> try_once(const project::StartRequest& request, const std::string& stored) {
    pg::Session& session = sessions.get();
    const auto found = session.run(sql::kFindRun, {request.project_id.str(), request.chat_id.str(), stored});
    if (found.empty()) {
      const auto inserted =
          session.run(sql::kInsertRun, {make_uuid(), request.project_id.str(), request.chat_id.str(), stored,
                                        request.owner_email.reveal(), queue_max});
      if (!inserted.flag(0, "is_free")) return kFull;
      if (inserted.is_null(0, "run_id")) return std::nullopt;  // somebody else was first: look again
      return StartOutcome{Kind::kStarted, RunId(inserted.text(0, "run_id")), false};
    }
    StartOutcome outcome{Kind::kAlready, RunId(found.text(0, "run_id")), found.flag(0, "request_differs")};
    if (found.text(0, "state") != "error") return outcome;
    if (found.flag(0, "is_pruned")) {
      renew(request, stored, outcome.run_id);
      return std::nullopt;  // look again, and restart what is there then
    }
    const auto restarted = session.run(sql::kRestartRun, {outcome.run_id.str(), queue_max});
    if (!restarted.flag(0, "is_free")) return kFull;
    if (restarted.is_null(0, "run_id")) return std::nullopt;
    outcome.kind = Kind::kRestarted;
    return outcome;
  }

  /// The run is older than the retention: nothing of it is left to go on from. Its next attempt is one of a
  /// run with another id.
  void renew(const project::StartRequest& request, const std::string& stored, const RunId& former) {
    sessions.get().run(sql::kRenewPrunedRun,
                       {former.str(), make_uuid(), stored, request.owner_email.reveal()});
  }

  void ring() noexcept {
    if (!std::exchange(is_ring_due, false)) return;
    try {
      sessions.get().run(sql::kRing, {kQueueChannel, ""});
    } catch (const Error&) {
      sessions.drop();  // workers poll as well
    }
  }

  pg::SessionHolder sessions;
  std::int64_t queue_max;
  bool is_ring_due = false;
};

RunIntake::RunIntake(Secret database_url, std::int64_t queue_max)
    : impl_(std::make_unique<Impl>(std::move(database_url), queue_max)) {}
RunIntake::~RunIntake() { impl_->ring(); }

void RunIntake::ring() noexcept { impl_->ring(); }

StartOutcome RunIntake::start(const project::StartRequest& request) {
  const std::string stored = dump_json(project::to_json(request));
  bool has_reconnected = false;
  for (int round = 0; round < kMaxRounds; ++round) {
    try {
      if (auto outcome = impl_->try_once(request, stored)) {
        if (outcome->kind == Kind::kStarted || outcome->kind == Kind::kRestarted) impl_->is_ring_due = true;
        return *outcome;
      }
    } catch (const Error& error) {
      // A session that idled through a restart of the database is found broken only now: once more with a new
      // one.
      impl_->sessions.drop();
      if (error.kind() != ErrorKind::kUnavailable || std::exchange(has_reconnected, true)) throw;
    }
  }
  throw Error(ErrorKind::kUnavailable, "the run is being started and ended by others at this moment");
}

}  // namespace gp::runlog
