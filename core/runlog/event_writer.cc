#include "core/runlog/event_writer.h"

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "sql.h"

namespace gp::runlog {
namespace {

pg::Param number_or_null(std::int64_t number) {
  return number < 0 ? pg::Param(std::nullopt) : pg::Param(number);
}

WriteOutcome append(pg::Session& session, const project::Step& step) {
  const std::string run = step.run_id.str();
  const std::string type(name_of(step.event.type));
  const std::string data = dump_json(step.event.data);
  if (!session.run(sql::kAppendEvent, {run, step.token.str(), step.event.id, type, data}).empty())
    return WriteOutcome::kWritten;
  // The row does not take it. Either this very event is there - a COMMIT whose answer was lost - or the lease
  // is not ours any more.
  const bool is_there = !session.run(sql::kFindSameEvent, {run, step.event.id, type, data}).empty();
  return is_there ? WriteOutcome::kAlreadyWritten : WriteOutcome::kFenced;
}

void finish(pg::Session& session, const project::Step& step) {
  const project::RunEnd& end = *step.end;
  const auto text_or_null = [&](const std::string& text) {
    return end.complete ? pg::Param(std::nullopt) : pg::Param(text);
  };
  session.run(sql::kFinishRun,
              {step.run_id.str(), step.token.str(), end.complete ? "complete" : "error",
               text_or_null(end.error_code), text_or_null(end.error_message), end.llm_calls,
               number_or_null(end.usage.prompt_tokens), number_or_null(end.usage.completion_tokens),
               end.cost_usd ? pg::Param(dump_json(Json(*end.cost_usd))) : pg::Param(std::nullopt)});
}

}  // namespace

struct EventWriter::Impl {
  explicit Impl(Secret url) : sessions(std::move(url), "generate-project shipper") {}

  std::vector<WriteOutcome> write(std::span<const project::Step> steps) {
    pg::Session& session = sessions.get();
    pg::Transaction transaction(session);
    std::vector<WriteOutcome> outcomes;
    std::unordered_map<RunId, const project::Step*> newest;
    std::unordered_set<RunId> fenced;
    for (const project::Step& step : steps) {
      const bool is_fenced = fenced.contains(step.run_id);
      const WriteOutcome outcome = is_fenced ? WriteOutcome::kFenced : append(session, step);
      outcomes.push_back(outcome);
      if (outcome == WriteOutcome::kFenced) fenced.insert(step.run_id);
      if (outcome != WriteOutcome::kWritten) continue;
      newest[step.run_id] = &step;
      if (step.end) finish(session, step);
    }
    for (const auto& [run_id, step] : newest) write_project(session, *step);
    transaction.commit();
    return outcomes;
  }

  void write_project(pg::Session& session, const project::Step& step) {
    const std::string project = step.event.data.at("project_id").get<std::string>();
    session.run_script("SAVEPOINT project");
    try {
      session.run(sql::kWriteProject, {project, step.run_id.str(), step.document});
    } catch (const Error& error) {
      // The calling app's table refuses the document (an id its column cannot hold, a trigger, a constraint).
      // The log is ours and goes on: the events must not wait for ever behind one project.
      if (error.kind() != ErrorKind::kBug) throw;
      session.run_script("ROLLBACK TO project");
      report::report(report::ProjectNotWritten{step.run_id.str(), error.code()});
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
