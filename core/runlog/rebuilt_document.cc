#include "core/runlog/rebuilt_document.h"

#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/document.h"
#include "core/project/event.h"
#include "core/project/start_request.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/stored_run.h"
#include "sql.h"

namespace gp::runlog {
namespace {

struct Folded {
  std::string text;
  bool has_begun = false;  ///< the run has events
};

/// The run's row, locked until the transaction ends.
pg::Result lock_run(pg::Session& session, const RunId& run_id) {
  auto rows = session.run(sql::kLockRun, {run_id.str()});
  if (rows.empty()) throw Error(ErrorKind::kNotFound, "there is no such run");
  if (rows.flag(0, "is_pruned"))
    throw Error(ErrorKind::kNotFound, "the events of that run are older than RETENTION_S and were removed");
  return rows;
}

Folded fold(pg::Session& session, const RunId& run_id, const pg::Result& run,
            const std::string& csv_base_url) {
  const auto request =
      project::restore_start_request(parse_json(run.text(0, "request")), Secret(run.text(0, "owner_email")));
  project::Document document(run_id, request, project::csv_url(csv_base_url, run_id));
  const auto events = read_events(session, run_id);
  for (const project::Event& event : events) document.apply(event);
  return {dump_json(document.json()), !events.empty()};
}

/// False where the project has no row. What it has from an earlier run stays until this one has begun.
bool replace(pg::Session& session, const std::string& project_id, const Folded& document) {
  if (!document.has_begun) return !session.run_unprepared({sql::kFindProject, {project_id}}).empty();
  return session.run_unprepared({sql::kReplaceDocument, {project_id, document.text}}).affected() > 0;
}

}  // namespace

std::string rebuild_document(pg::Session& session, const RunId& run_id, const std::string& csv_base_url) {
  pg::Transaction transaction(session);
  auto document = fold(session, run_id, lock_run(session, run_id), csv_base_url);
  transaction.commit();
  return document.text;
}

bool store_rebuilt_document(pg::Session& session, const RunId& run_id, const std::string& csv_base_url,
                            std::chrono::milliseconds patience) {
  pg::Transaction transaction(session);
  session.run(limit_lock_wait(patience, LockScope::kTransaction));
  const auto run = lock_run(session, run_id);
  if (run.flag(0, "is_superseded")) return false;
  const std::string project_id = run.text(0, "project_id");
  const auto document = fold(session, run_id, run, csv_base_url);
  if (!replace(session, project_id, document))
    session.run_unprepared({sql::kInsertProject, {project_id, document.text}});
  transaction.commit();
  return true;
}

}  // namespace gp::runlog
