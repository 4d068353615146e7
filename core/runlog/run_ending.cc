#include "core/runlog/run_ending.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/project/document.h"
#include "core/project/step.h"
#include "core/runlog/channels.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/project_row.h"
#include "sql.h"

namespace gp::runlog {
namespace {

project::Event ending_event(const TakenRun& run, const RunEnding& ending) {
  const Json members = {
      {"code", ending.code}, {"message", ending.message}, {"stage", "run"}, {"retryable", ending.retryable}};
  return {run.next_event_id, project::EventType::kError,
          project::event_data(run.run_id, run.project_id, format_rfc3339(wall_now()), members)};
}

/// What a run is at its end.
struct Folded {
  std::string document;
  bool has_begun = false;  ///< this attempt: a worker may have called the LLM
  int takes = 0;           ///< of this attempt, as far as the events tell
};

bool has_begun(const TakenRun& run, const std::vector<project::Event>& events) {
  return run.former_takes > 0 || (!events.empty() && !project::is_terminal(events.back().type));
}

int count_takes(const std::vector<project::Event>& events) {
  const auto end = std::find_if(events.rbegin(), events.rend(),
                                [](const project::Event& event) { return is_terminal(event.type); });
  return static_cast<int>(std::count_if(events.rbegin(), end, [](const project::Event& event) {
    return event.type == project::EventType::kRunStarted;
  }));
}

/// The run after `last`; its project then has a row where the table lets us. Nothing where request or events
/// cannot be read back.
std::optional<Folded> fold(pg::Session& session, const TakenRun& run, const project::Event& last,
                           const std::string& csv_base_url) {
  try {
    const auto request = restore_request(run);
    project::Document document(run.run_id, request, project::csv_url(csv_base_url, run.run_id));
    const auto events = read_events(session, run.run_id);
    for (const project::Event& event : events) document.apply(event);
    document.apply(last);
    ensure_project(session, run.run_id, request);
    return Folded{dump_json(document.json()), has_begun(run, events), count_takes(events)};
  } catch (const Error& error) {
    if (is_away(error)) throw;
    return std::nullopt;
  }
}

/// What the calls of an attempt that has begun have cost is known to nobody any more, and of their number
/// only that each take has begun one.
project::RunEnd run_end(const RunEnding& ending, const Folded& folded) {
  project::RunEnd end;
  end.error_code = ending.code;
  end.error_message = ending.message;
  end.llm_calls = folded.takes;
  if (!folded.has_begun) {
    end.usage = {0, 0, 0};
    end.cost_usd = 0.0;
  }
  return end;
}

/// A lost ring costs a reader its slow timer.
void ring_readers(pg::Session& session, const RunId& run_id) {
  try {
    session.run(sql::kRing, {kEventsChannel, run_id.str()});
  } catch (const Error&) {
    // The session is broken; its owner finds out at the next statement.
  }
}

}  // namespace

RunEnding worker_lost() {
  return {"worker_lost", "the worker is gone and no other one has taken the run over", true};
}

RunEnding cancelled() { return {"cancelled", "the run was cancelled", false}; }

RunEnding worker_crashed() {
  return {"worker_crashed", "the run's workers died again and again; it is given up", false};
}

RunEnding unreadable() { return {"internal", "what is stored of the run cannot be read back", false}; }

RunEnder::RunEnder(Secret database_url, std::string csv_base_url)
    : writer_(std::move(database_url)), csv_base_url_(std::move(csv_base_url)) {}

EndOutcome RunEnder::end(pg::Session& session, const TakenRun& run, const RunEnding& ending) {
  try {
    const EndOutcome outcome = write_end(session, run, ending);
    if (outcome == EndOutcome::kEnded) ring_readers(session, run.run_id);
    return outcome;
  } catch (const Error& error) {
    if (!is_lock_timeout(error)) throw;
    report::report(report::ProjectNotWritten{run.run_id.str(), error.code()});
    return EndOutcome::kLocked;
  }
}

EndOutcome RunEnder::write_end(pg::Session& session, const TakenRun& run, const RunEnding& ending) {
  const project::Event event = ending_event(run, ending);
  if (auto folded = fold(session, run, event, csv_base_url_)) {
    const project::Step step{run.run_id, run.token, event, std::move(folded->document),
                             run_end(ending, *folded)};
    const bool is_fenced = writer_.write(std::span(&step, 1)).front() == WriteOutcome::kFenced;
    return is_fenced ? EndOutcome::kNotOurs : EndOutcome::kEnded;
  }
  const auto ended = session.run(
      sql::kEndRunWithoutDocument,
      {run.run_id.str(), run.token.str(), event.id, dump_json(event.data), ending.code, ending.message});
  return ended.empty() ? EndOutcome::kNotOurs : EndOutcome::kEnded;
}

}  // namespace gp::runlog
