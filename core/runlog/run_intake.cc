#include "core/runlog/run_intake.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/project/project_id.h"
#include "core/runlog/channels.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr int kMaxRounds = 5;  ///< each round loses only to another caller that made progress

using Kind = StartOutcome::Kind;

const StartOutcome kFull{Kind::kQueueFull, {}, false};

using Outcomes = std::vector<std::optional<StartOutcome>>;

/// How old what is known of the column projects.id may be: the calling app may change its type.
constexpr std::chrono::seconds kColumnAge{2};

project::IdColumn id_column_of(const pg::Result& rows) {
  const std::string type = rows.empty() ? "" : rows.text(0, "type");
  if (type == "uuid") return project::IdColumn::kUuid;
  if (type == "bigint" || type == "integer" || type == "smallint") return project::IdColumn::kInteger;
  return project::IdColumn::kText;
}

/// One of several requests that came together.
struct Asked {
  std::size_t place = 0;
  project::StartRequest request;
  std::string stored;
};

bool is_same_pair(const project::StartRequest& one, const project::StartRequest& other) {
  return one.project_id == other.project_id && one.chat_id == other.chat_id;
}

}  // namespace

struct RunIntake::Impl {
  Impl(Secret url, std::int64_t most)
      : sessions(std::move(url), "generate-project start", fitting_session(kReadPatience)), queue_max(most) {}

  /// The request under the one name that its project has here, whichever it was given: runs are told apart,
  /// and counted, by the text of that.
  project::StartRequest named(project::StartRequest request) {
    if (steady_now() >= column_known_until) {
      column = id_column_of(sessions.get().run(sql::kReadProjectIdType));
      column_known_until = steady_now() + kColumnAge;
    }
    request.project_id = project::canonical_id(request.project_id, column);
    return request;
  }

  static pg::Call find(const project::StartRequest& request, const std::string& stored) {
    return {sql::kFindRun,
            {request.project_id.str(), request.chat_id.str(), stored, request.owner_email.reveal()}};
  }

  static StartOutcome already(const pg::Result& found) {
    return {Kind::kAlready, RunId(found.text(0, "run_id")), found.flag(0, "request_differs")};
  }

  /// The three statements of a round are one transaction each: whichever of several callers inserts or
  /// restarts the run, the unique constraint and the row's state decide.
  std::optional<StartOutcome> try_once(const project::StartRequest& given) {
    pg::Session& session = sessions.get();
    const project::StartRequest request = named(given);
    const std::string stored = dump_json(project::to_json(request));
    const auto found = session.run(find(request, stored));
    if (found.empty()) {
      const auto inserted =
          session.run(sql::kInsertRun, {make_uuid(), request.project_id.str(), request.chat_id.str(), stored,
                                        request.owner_email.reveal(), queue_max});
      if (!inserted.flag(0, "is_free")) return kFull;
      if (inserted.is_null(0, "run_id")) return std::nullopt;  // somebody else was first: look again
      return StartOutcome{Kind::kStarted, RunId(inserted.text(0, "run_id")), false};
    }
    StartOutcome outcome = already(found);
    if (found.text(0, "state") != "error") return outcome;
    if (found.flag(0, "is_pruned")) {
      renew(request, stored, outcome.run_id);
      return std::nullopt;  // look again, and restart what is there then
    }
    // The run's row may be locked; the other requests of this process do not wait for it.
    const auto restarted = run_impatiently(session, {sql::kRestartRun, {outcome.run_id.str(), queue_max}});
    if (!restarted.flag(0, "is_free")) return kFull;
    if (restarted.is_null(0, "run_id")) return std::nullopt;
    outcome.kind = Kind::kRestarted;
    return outcome;
  }

  void start_together(std::span<const project::StartRequest* const> requests, Outcomes& outcomes) {
    std::vector<Asked> asked;
    for (std::size_t place = 0; place < requests.size(); ++place) {
      if (requests[place] == nullptr) continue;
      Asked each{place, named(*requests[place]), {}};
      const bool is_second = std::ranges::any_of(
          asked, [&](const Asked& before) { return is_same_pair(before.request, each.request); });
      if (is_second) continue;
      each.stored = dump_json(project::to_json(each.request));
      asked.push_back(std::move(each));
    }
    std::vector<pg::Call> calls;
    for (const Asked& each : asked) calls.push_back(find(each.request, each.stored));
    pg::Session& session = sessions.get();
    const auto found = session.run_together(calls);
    std::vector<Asked> unknown;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (found.at(i).empty()) {
        unknown.push_back(std::move(asked[i]));
      } else if (found.at(i).text(0, "state") != "error") {
        outcomes[asked[i].place] = already(found.at(i));
      }
    }
    if (!unknown.empty()) insert(session, unknown, outcomes);
  }

  void insert(pg::Session& session, const std::vector<Asked>& runs, Outcomes& outcomes) {
    std::array<std::vector<std::string>, 5> columns;
    for (const Asked& run : runs) {
      const auto row =
          std::to_array<std::string>({make_uuid(), run.request.project_id.str(), run.request.chat_id.str(),
                                      run.stored, run.request.owner_email.reveal()});
      for (std::size_t i = 0; i < row.size(); ++i) columns.at(i).push_back(row.at(i));
    }
    std::vector<pg::Param> params;
    std::ranges::transform(columns, std::back_inserter(params), pg::Param::array);
    params.emplace_back(queue_max);
    is_ring_due = true;  // before: its answer may be lost
    const auto inserted = session.run({sql::kInsertRuns, std::move(params)});
    const std::vector<std::string>& run_ids = columns.front();
    for (int row = 0; row < inserted.size(); ++row) {
      const auto run_id = std::ranges::find(run_ids, inserted.text(row, "run_id"));
      const Asked& run = runs.at(static_cast<std::size_t>(run_id - run_ids.begin()));
      outcomes[run.place] = StartOutcome{Kind::kStarted, RunId(*run_id), false};
    }
  }

  /// The run is older than the retention: nothing of it is left to go on from. Its next attempt is one of a
  /// run with another id.
  void renew(const project::StartRequest& request, const std::string& stored, const RunId& former) {
    run_impatiently(sessions.get(), {sql::kRenewPrunedRun,
                                     {former.str(), make_uuid(), stored, request.owner_email.reveal()}});
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
  project::IdColumn column = project::IdColumn::kText;
  SteadyTime column_known_until{};
  bool is_ring_due = false;
};

RunIntake::RunIntake(Secret database_url, std::int64_t queue_max)
    : impl_(std::make_unique<Impl>(std::move(database_url), queue_max)) {}
RunIntake::~RunIntake() { impl_->ring(); }

void RunIntake::ring() noexcept { impl_->ring(); }

Outcomes RunIntake::start_together(std::span<const project::StartRequest* const> requests) noexcept {
  Outcomes outcomes(requests.size());
  if (std::ranges::count_if(requests, [](const auto* each) { return each != nullptr; }) < 2) return outcomes;
  try {
    impl_->start_together(requests, outcomes);
  } catch (const std::exception&) {
    impl_->sessions.drop();  // start() tries again, and says what is wrong
  }
  return outcomes;
}

StartOutcome RunIntake::start(const project::StartRequest& request) {
  bool has_reconnected = false;
  for (int round = 0; round < kMaxRounds; ++round) {
    try {
      if (auto outcome = impl_->try_once(request)) {
        if (outcome->kind == Kind::kStarted || outcome->kind == Kind::kRestarted) impl_->is_ring_due = true;
        return *outcome;
      }
    } catch (const Error& error) {
      // A session that idled through a restart of the database is found broken only now: once more with a new
      // one.
      impl_->sessions.drop();
      if (error.kind() != ErrorKind::kUnavailable || is_lock_timeout(error) ||
          std::exchange(has_reconnected, true))
        throw;
    }
  }
  throw Error(ErrorKind::kUnavailable, "the run is being started and ended by others at this moment");
}

}  // namespace gp::runlog
