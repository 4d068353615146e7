#include "core/runlog/project_row.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/document.h"
#include "core/runlog/lock_wait.h"
#include "sql.h"

namespace gp::runlog {
namespace {

/// Errors of INSERT INTO projects that say "this table does not let us": not null, foreign key, check, unique
/// violation, no privilege, the id does not fit the column's type.
constexpr std::array<std::string_view, 7> kTableRefuses = {"23502", "23503", "23514", "23505",
                                                           "42501", "22P02", "22003"};

bool table_refuses(const Error& error) {
  return std::ranges::find(kTableRefuses, error.code()) != kTableRefuses.end();
}

void prepare_impatiently(pg::Session& session, const pg::Statement& statement) {
  pg::Transaction transaction(session);
  session.run(limit_lock_wait(kLockPatience, LockScope::kTransaction));
  session.prepare(statement);
  transaction.commit();
}

/// As one transaction; waits for no lock of the calling app for long.
pg::Result run_impatiently(pg::Session& session, const pg::Call& call) {
  if (!session.is_prepared(call.statement)) prepare_impatiently(session, call.statement);
  const std::array<pg::Call, 2> calls = {{limit_lock_wait(kLockPatience, LockScope::kTransaction), call}};
  return session.run_together(calls).back();
}

}  // namespace

bool ensure_project(pg::Session& session, const RunId& run_id, const project::StartRequest& request) {
  try {
    const std::string id = request.project_id.str();
    if (!run_impatiently(session, {sql::kFindProject, {id}}).empty()) return true;
    const project::Document document(run_id, request, "");
    run_impatiently(session, {sql::kInsertProject, {id, dump_json(document.json())}});
    return true;
  } catch (const Error& error) {
    if (is_lock_timeout(error)) return true;
    if (!table_refuses(error)) throw;
    // Unique violation: somebody else inserted it meanwhile.
    return error.code() == "23505";
  }
}

}  // namespace gp::runlog
