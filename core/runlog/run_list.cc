#include "core/runlog/run_list.h"

#include "core/pg/session.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

WallTime time_of(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

std::optional<WallTime> time_or_nothing(const pg::Result& rows, int row, const char* column) {
  if (rows.is_null(row, column)) return std::nullopt;
  return time_of(rows.number(row, column));
}

}  // namespace

std::vector<ListedRun> list_runs(const Secret& database_url, const std::optional<std::string>& state,
                                 int limit) {
  pg::Session session(database_url, "generate-project runs");
  require_schema(session);
  const auto rows = session.run(sql::kListRuns, {state, limit});
  std::vector<ListedRun> runs;
  for (int row = 0; row < rows.size(); ++row) {
    ListedRun run;
    run.run_id = RunId(rows.text(row, "run_id"));
    run.project_id = ProjectId(rows.text(row, "project_id"));
    run.state = rows.text(row, "state");
    run.attempt = static_cast<int>(rows.number(row, "attempt"));
    run.last_event_id = rows.number(row, "last_event_id");
    if (!rows.is_null(row, "error_code")) run.error_code = rows.text(row, "error_code");
    run.is_pruned = rows.flag(row, "is_pruned");
    run.queued_at = time_of(rows.number(row, "queued_ms"));
    run.started_at = time_or_nothing(rows, row, "started_ms");
    run.finished_at = time_or_nothing(rows, row, "finished_ms");
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace gp::runlog
