#include "core/runlog/project_row.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/document.h"
#include "core/runlog/lock_wait.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kUniqueViolation = "23505";

/// A SELECT's: the id does not fit the column's type, or we may not look.
constexpr std::array<std::string_view, 3> kNotToBeFound = {"22P02", "22003", "42501"};

/// An INSERT's that say "this table does not let us". Classes: what is in the row (22), a constraint (23), no
/// privilege, another column or type than ours, a column that PostgreSQL alone fills (42), a view's check
/// option (44); then a view that takes no rows, what a trigger raises.
constexpr std::array<std::string_view, 6> kTableRefuses = {"22", "23", "42", "44", "55000", "P0001"};

bool is_one_of(std::span<const std::string_view> beginnings, const Error& error) {
  return std::ranges::any_of(beginnings,
                             [&](std::string_view beginning) { return error.code().starts_with(beginning); });
}

}  // namespace

bool ensure_project(pg::Session& session, const RunId& run_id, const project::StartRequest& request) {
  const std::string& id = request.project_id.str();
  try {
    if (!run_impatiently(session, {sql::kFindProject, {id}}).empty()) return true;
  } catch (const Error& error) {
    if (!is_one_of(kNotToBeFound, error)) throw;
    return false;
  }
  const project::Document document(run_id, request, "");
  try {
    run_impatiently(session, {sql::kInsertProject, {id, dump_json(document.json())}});
    return true;
  } catch (const Error& error) {
    if (!is_one_of(kTableRefuses, error)) throw;
    return error.code() == kUniqueViolation;  // somebody else inserted it meanwhile
  }
}

}  // namespace gp::runlog
