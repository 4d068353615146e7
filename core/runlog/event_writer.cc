#include "core/runlog/event_writer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/schema.h"
#include "core/runlog/step_batch.h"
#include "sql.h"

namespace gp::runlog {
namespace {

using project::Step;
using Outcomes = std::vector<WriteOutcome>;

std::string project_of(const Step& step) { return step.event.data.at("project_id").get<std::string>(); }

pg::Param number_or_null(std::int64_t number) {
  return number < 0 ? pg::Param(std::nullopt) : pg::Param(number);
}

pg::Call append_event(const Step& step) {
  return {sql::kAppendEvent,
          {step.run_id.str(), step.token.str(), step.event.id, name_of(step.event.type),
           dump_json(step.event.data)}};
}

pg::Call find_same_event(const Step& step) {
  return {sql::kFindSameEvent,
          {step.run_id.str(), step.event.id, name_of(step.event.type), dump_json(step.event.data)}};
}

pg::Call write_project(const Step& step) {
  return {sql::kWriteProject,
          {project_of(step), step.run_id.str(), step.document, step.token.str(), step.event.id}};
}

/// Within what the column of the sums takes.
pg::Param cost_or_null(const std::optional<double>& cost_usd) {
  constexpr double kMost = 99'999.0;
  if (!cost_usd || !std::isfinite(*cost_usd)) return std::nullopt;
  return dump_json(Json(std::clamp(*cost_usd, 0.0, kMost)));
}

pg::Call finish_run(const Step& step) {
  const project::RunEnd& end = *step.end;
  const auto text_or_null = [&](const std::string& text) {
    return end.complete ? pg::Param(std::nullopt) : pg::Param(text);
  };
  return {
      sql::kFinishRun,
      {step.run_id.str(), step.token.str(), end.complete ? "complete" : "error", text_or_null(end.error_code),
       text_or_null(end.error_message), end.llm_calls, number_or_null(end.usage.prompt_tokens),
       number_or_null(end.usage.completion_tokens), cost_or_null(end.cost_usd), step.event.id}};
}

// Together
// ----------------------------------------------------------------------------------------------------------

/// The arrays of append_steps.sql.
class StepColumns {
 public:
  explicit StepColumns(const StepBatch& batch) {
    for (const StepBatch::Places& run : batch.runs()) {
      add_run(batch.at(run.front()), batch.at(run.back()));
      for (const std::size_t place : run) add_event(batch.at(place));
    }
  }

  pg::Call call() const {
    using pg::Param;
    return {sql::kAppendSteps,
            {Param::array(runs_), Param::array(tokens_), Param::array(first_ids_), Param::array(last_ids_),
             Param::array(projects_), Param::array(documents_), Param::array(event_runs_),
             Param::array(event_ids_), Param::array(types_), Param::array(data_)}};
  }

 private:
  using Column = std::vector<std::string>;

  void add_run(const Step& first, const Step& last) {
    runs_.push_back(last.run_id.str());
    tokens_.push_back(last.token.str());
    first_ids_.push_back(std::to_string(first.event.id));
    last_ids_.push_back(std::to_string(last.event.id));
    projects_.push_back(project_of(last));
    documents_.push_back(last.document);
  }
  void add_event(const Step& step) {
    event_runs_.push_back(step.run_id.str());
    event_ids_.push_back(std::to_string(step.event.id));
    types_.emplace_back(name_of(step.event.type));
    data_.push_back(dump_json(step.event.data));
  }

  Column runs_, tokens_, first_ids_, last_ids_, projects_, documents_;
  Column event_runs_, event_ids_, types_, data_;
};

/// Adds what appends the steps and writes the documents; the first one's answer has a row for each run that
/// was written. A step alone is cheaper without arrays.
void add_append_calls(const StepBatch& batch, std::vector<pg::Call>& calls) {
  if (batch.size() != 1) return calls.push_back(StepColumns(batch).call());
  const Step& step = batch.at(batch.runs().front().front());
  calls.push_back(append_event(step));
  calls.push_back(write_project(step));
}

/// Returns the runs that were written. Everything is sent before any answer is looked at: that is sound
/// because the statements that follow the first one ask for the lease and the number by themselves.
std::set<std::string> write_together(pg::Session& session, const StepBatch& batch) {
  std::vector<pg::Call> calls;
  if (session.is_pooled()) calls.push_back(limit_lock_wait(kLockPatience, LockScope::kTransaction));
  const std::size_t first = calls.size();
  add_append_calls(batch, calls);
  for (const StepBatch::Places& run : batch.runs()) {
    if (batch.at(run.back()).end) calls.push_back(finish_run(batch.at(run.back())));
  }
  const pg::Result written = session.run_together(calls).at(first);
  std::set<std::string> runs;
  for (int row = 0; row < written.size(); ++row) runs.insert(written.text(row, "run_id"));
  return runs;
}

// Run by run
// ------------------------------------------------------------------------------------------------------

WriteOutcome append(pg::Session& session, const Step& step) {
  const auto ask = [&](const pg::Call& call) { return !session.run(call).empty(); };
  if (ask(append_event(step))) return WriteOutcome::kWritten;
  return ask(find_same_event(step)) ? WriteOutcome::kAlreadyWritten : WriteOutcome::kFenced;
}

/// Appends the steps of one run; returns the newest one written now, or null. A step that is fenced off takes
/// those with it that follow under its lease.
const Step* append_run(pg::Session& session, const StepBatch& batch, const StepBatch::Places& run,
                       Outcomes& outcomes) {
  const Step* newest = nullptr;
  std::set<std::string> fenced;
  for (const std::size_t place : run) {
    const Step& step = batch.at(place);
    outcomes[place] = WriteOutcome::kFenced;
    if ((newest != nullptr && newest->end) || fenced.contains(step.token.str())) continue;
    outcomes[place] = append(session, step);
    if (outcomes[place] == WriteOutcome::kFenced) fenced.insert(step.token.str());
    if (outcomes[place] == WriteOutcome::kWritten) newest = &step;
  }
  return newest;
}

void write_project_if_taken(pg::Session& session, const Step& step) {
  session.run_script("SAVEPOINT project");
  try {
    session.run_unprepared(write_project(step));
    session.run_script(
        "SET CONSTRAINTS ALL IMMEDIATE");  // else a deferred one refuses the events as well, at COMMIT
  } catch (const Error& error) {
    // The calling app's table refuses the document (an id its column cannot hold, a trigger, a constraint, a
    // right). The log is ours and goes on: the events must not wait for ever behind one project.
    if (is_away(error) && !is_right_missing(error)) throw;
    session.run_script("ROLLBACK TO project");
    report::report(report::ProjectNotWritten{step.run_id.str(), error.code()});
  }
}

/// The same steps will fail again: their content is at fault (data exception, integrity constraint violation,
/// program limit exceeded). Anything else may be mended from outside, a missing privilege for example.
bool is_refusal(const Error& error) {
  const std::string_view code = error.code();
  return error.kind() == ErrorKind::kBug &&
         (code.starts_with("22") || code.starts_with("23") || code.starts_with("54"));
}

void write_steps(pg::Session& session, const StepBatch& batch, const StepBatch::Places& run,
                 Outcomes& outcomes) {
  session.run(limit_lock_wait(kShortLockPatience, LockScope::kTransaction));
  const Step* newest = append_run(session, batch, run, outcomes);
  if (newest == nullptr) return;
  write_project_if_taken(session, *newest);
  if (newest->end) session.run(finish_run(*newest));
}

/// Writes the steps of one run in a transaction of their own, so that no other run waits for a lock that this
/// one does not get, nor fails with it. Where it is `around_locks` such a run's steps get their outcome, else
/// the error is thrown.
void write_run(pg::Session& session, const StepBatch& batch, const StepBatch::Places& run, bool around_locks,
               Outcomes& outcomes) {
  const auto set_aside = [&](WriteOutcome outcome) {
    for (const std::size_t place : run) outcomes[place] = outcome;
  };
  const std::string& run_id = batch.at(run.front()).run_id.str();
  pg::Transaction transaction(session);
  try {
    write_steps(session, batch, run, outcomes);
    transaction.commit();
  } catch (const Error& error) {
    if (around_locks && is_lock_timeout(error)) return set_aside(WriteOutcome::kLocked);
    if (!around_locks || !is_refusal(error)) throw;
    report::report(report::StepsRefused{run_id, error.what()});
    return set_aside(WriteOutcome::kRefused);
  }
}

/// Writes what `outcomes` does not call written yet, and says there what became of it.
void write_run_by_run(pg::Session& session, const StepBatch& batch, bool around_locks, Outcomes& outcomes) {
  for (const StepBatch::Places& run : batch.runs()) {
    if (outcomes[run.front()] == WriteOutcome::kWritten) continue;
    write_run(session, batch, run, around_locks, outcomes);
  }
}

/// Marks the steps of the runs that were written; true where that is all of them.
bool mark_written(const std::set<std::string>& written, const StepBatch& batch, Outcomes& outcomes) {
  std::size_t count = 0;
  for (const StepBatch::Places& run : batch.runs()) {
    if (!written.contains(batch.at(run.front()).run_id.str())) continue;
    for (const std::size_t place : run) outcomes[place] = WriteOutcome::kWritten;
    ++count;
  }
  return count == batch.runs().size();
}

}  // namespace

struct EventWriter::Impl {
  explicit Impl(Secret url) : sessions(std::move(url), "generate-project shipper", prepare_session) {}

  Outcomes write(std::span<const Step> steps, bool around_locks) {
    const StepBatch batch(steps);
    Outcomes outcomes(batch.size(), WriteOutcome::kFenced);
    if (try_together(batch.without(locked_runs), outcomes) && locked_runs.empty()) return outcomes;
    write_run_by_run(sessions.get(), batch, around_locks, outcomes);
    remember_locked(batch, outcomes);
    return outcomes;
  }

  static void prepare_session(pg::Session& session) {
    fitting_session(kWritePatience)(session);
    if (!session.is_pooled()) session.run(limit_lock_wait(kLockPatience, LockScope::kSession));
  }

  /// True where everything is written.
  bool try_together(const StepBatch& batch, Outcomes& outcomes) {
    if (batch.runs().empty()) return true;
    if (!batch.is_regular()) return false;
    try {
      return mark_written(write_together(sessions.get(), batch), batch, outcomes);
    } catch (const Error& error) {
      // Some project's table may refuse a document, or somebody has locked its row: run by run finds out
      // which. Else it fails as well.
      if (is_away(error) && !is_lock_timeout(error) && !is_right_missing(error)) throw;
      return false;
    }
  }

  void remember_locked(const StepBatch& batch, const Outcomes& outcomes) {
    for (const StepBatch::Places& run : batch.runs()) {
      const std::string& run_id = batch.at(run.front()).run_id.str();
      if (outcomes[run.front()] != WriteOutcome::kLocked) {
        locked_runs.erase(run_id);
      } else if (locked_runs.insert(run_id).second) {
        report::report(report::ProjectNotWritten{run_id, "55P03"});
      }
    }
  }

  pg::SessionHolder sessions;
  std::set<std::string> locked_runs;  ///< met a lock at their last try: they are tried apart from the others
};

std::chrono::nanoseconds rest_after(std::size_t steps, std::chrono::nanoseconds took) noexcept {
  if (steps <= 1) return std::chrono::nanoseconds(0);
  return std::min<std::chrono::nanoseconds>(took, std::chrono::milliseconds(2));
}

EventWriter::EventWriter(Secret database_url) : impl_(std::make_unique<Impl>(std::move(database_url))) {}
EventWriter::~EventWriter() = default;

std::vector<WriteOutcome> EventWriter::write(std::span<const project::Step> steps) {
  return write(steps, false);
}

std::vector<WriteOutcome> EventWriter::write_around_locks(std::span<const project::Step> steps) {
  return write(steps, true);
}

std::vector<WriteOutcome> EventWriter::write(std::span<const project::Step> steps, bool around_locks) {
  try {
    return impl_->write(steps, around_locks);
  } catch (const Error&) {
    impl_->sessions.drop();
    throw;
  }
}

std::optional<std::int64_t> EventWriter::find_last_id_if_behind(const project::Step& step) {
  try {
    const auto rows =
        impl_->sessions.get().run(sql::kFindLastId, {step.run_id.str(), step.token.str(), step.event.id});
    return rows.empty() ? std::nullopt : std::optional(rows.number(0, "last_id"));
  } catch (const Error&) {
    impl_->sessions.drop();
    throw;
  }
}

}  // namespace gp::runlog
