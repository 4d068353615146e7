#include "core/runlog/event_writer.h"

#include <map>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/pg/session.h"
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

pg::Call finish_run(const Step& step) {
  const project::RunEnd& end = *step.end;
  const auto text_or_null = [&](const std::string& text) {
    return end.complete ? pg::Param(std::nullopt) : pg::Param(text);
  };
  return {
      sql::kFinishRun,
      {step.run_id.str(), step.token.str(), end.complete ? "complete" : "error", text_or_null(end.error_code),
       text_or_null(end.error_message), end.llm_calls, number_or_null(end.usage.prompt_tokens),
       number_or_null(end.usage.completion_tokens),
       end.cost_usd ? pg::Param(dump_json(Json(*end.cost_usd))) : pg::Param(std::nullopt), step.event.id}};
}

/// Steps sorted by project, the order in which rows of projects are locked.
using ByProject = std::multimap<std::string, const Step*>;

// Together
// ----------------------------------------------------------------------------------------------------------

/// An append that found no row: either this very event is there - a COMMIT whose answer was lost - or the
/// lease is not ours any more.
void tell_refused_apart(pg::Session& session, const StepBatch& batch, Outcomes& outcomes) {
  std::vector<pg::Call> questions;
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < outcomes.size(); ++place) {
    if (outcomes[place] == WriteOutcome::kWritten) continue;
    questions.push_back(find_same_event(batch.at(place)));
    places.push_back(place);
  }
  if (questions.empty()) return;
  const auto answers = session.run_together(questions);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].empty()) outcomes[places[i]] = WriteOutcome::kAlreadyWritten;
  }
}

/// Sends everything at once and looks at the answers afterwards. That is sound because each statement asks
/// for the lease and the number by itself, and because of a regular run's steps those that are written now
/// are the last ones, or none.
Outcomes write_together(pg::Session& session, const StepBatch& batch) {
  std::vector<pg::Call> calls;
  std::vector<std::size_t> places;  // the step that calls[i] appends
  std::vector<const Step*> ends;
  ByProject newest;
  for (const StepBatch::Places& run : batch.runs()) {
    for (const std::size_t place : run) {
      calls.push_back(append_event(batch.at(place)));
      places.push_back(place);
    }
    const Step& last = batch.at(run.back());
    newest.emplace(project_of(last), &last);
    if (last.end) ends.push_back(&last);
  }
  for (const auto& [project, step] : newest) calls.push_back(write_project(*step));
  for (const Step* step : ends) calls.push_back(finish_run(*step));

  const auto answers = session.run_together(calls);
  Outcomes outcomes(places.size(), WriteOutcome::kFenced);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!answers[i].empty()) outcomes[places[i]] = WriteOutcome::kWritten;
  }
  tell_refused_apart(session, batch, outcomes);
  return outcomes;
}

// Step by step
// ------------------------------------------------------------------------------------------------------

WriteOutcome append(pg::Session& session, const Step& step) {
  const auto ask = [&](const pg::Call& call) { return !session.run(call).empty(); };
  if (ask(append_event(step))) return WriteOutcome::kWritten;
  return ask(find_same_event(step)) ? WriteOutcome::kAlreadyWritten : WriteOutcome::kFenced;
}

/// Appends the steps of one run; returns the newest one written now, or null.
const Step* append_run(pg::Session& session, const StepBatch& batch, const StepBatch::Places& run,
                       Outcomes& outcomes) {
  const Step* newest = nullptr;
  for (const std::size_t place : run) {
    outcomes[place] = append(session, batch.at(place));
    if (outcomes[place] == WriteOutcome::kFenced) break;  // and with it all that follow
    if (outcomes[place] != WriteOutcome::kWritten) continue;
    newest = &batch.at(place);
    if (newest->end) break;
  }
  return newest;
}

void write_project_if_taken(pg::Session& session, const Step& step) {
  session.run_script("SAVEPOINT project");
  try {
    session.run(write_project(step));
  } catch (const Error& error) {
    // The calling app's table refuses the document (an id its column cannot hold, a trigger, a constraint).
    // The log is ours and goes on: the events must not wait for ever behind one project.
    if (error.kind() != ErrorKind::kBug) throw;
    session.run_script("ROLLBACK TO project");
    report::report(report::ProjectNotWritten{step.run_id.str(), error.code()});
  }
}

Outcomes write_step_by_step(pg::Session& session, const StepBatch& batch) {
  pg::Transaction transaction(session);
  Outcomes outcomes(batch.size(), WriteOutcome::kFenced);
  ByProject newest;
  for (const StepBatch::Places& run : batch.runs()) {
    if (const Step* step = append_run(session, batch, run, outcomes)) newest.emplace(project_of(*step), step);
  }
  for (const auto& [project, step] : newest) write_project_if_taken(session, *step);
  for (const auto& [project, step] : newest) {
    if (step->end) session.run(finish_run(*step));
  }
  transaction.commit();
  return outcomes;
}

}  // namespace

struct EventWriter::Impl {
  explicit Impl(Secret url) : sessions(std::move(url), "generate-project shipper") {}

  Outcomes write(std::span<const Step> steps) {
    const StepBatch batch(steps);
    if (!batch.is_regular()) return write_step_by_step(sessions.get(), batch);
    try {
      return write_together(sessions.get(), batch);
    } catch (const Error& error) {
      // Some project's table may refuse a document: step by step finds out which. Else it fails as well.
      if (error.kind() != ErrorKind::kBug) throw;
      return write_step_by_step(sessions.get(), batch);
    }
  }

  pg::SessionHolder sessions;
};

EventWriter::EventWriter(Secret database_url) : impl_(std::make_unique<Impl>(std::move(database_url))) {}
EventWriter::~EventWriter() = default;

std::vector<WriteOutcome> EventWriter::write(std::span<const project::Step> steps) {
  try {
    return impl_->write(steps);
  } catch (const Error&) {
    impl_->sessions.drop();
    throw;
  }
}

}  // namespace gp::runlog
