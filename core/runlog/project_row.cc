#include "core/runlog/project_row.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/document.h"
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

}  // namespace

bool ensure_project(pg::Session& session, const RunId& run_id, const project::StartRequest& request) {
  try {
    const std::string id = request.project_id.str();
    if (!session.run(sql::kFindProject, {id}).empty()) return true;
    const project::Document document(run_id, request, "");
    session.run(sql::kInsertProject, {id, dump_json(document.json())});
    return true;
  } catch (const Error& error) {
    if (!table_refuses(error)) throw;
    // Unique violation: somebody else inserted it meanwhile.
    return error.code() == "23505";
  }
}

}  // namespace gp::runlog
