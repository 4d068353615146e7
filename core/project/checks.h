#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/blocklist.h"
#include "core/project/start_request.h"

namespace gp::project {

/// As long as the JSON of a plan, or of one section, may be.
inline constexpr std::size_t kMaxPartBytes = 64 * 1024;

/// "1" .. "group_size": the members of a section's `seats`; and "teacher", "shared", "seat_1" ..: a section's
/// `roles`.
std::vector<std::string> seats_for(int group_size);
std::vector<std::string> roles_for(int group_size);

/// What makes a plan (proj.v1's plan without blocklist_ok) unusable for this request: ids, time budget,
/// operators, metrics, roles, materials, empty text. Empty: it may be stored. Fields are paths such as
/// "plan.sections.sec_02.constraints.time_min".
std::vector<Fault> check_plan(const Json& plan, const StartRequest& request);

/// The same for one section (proj.v1's section): seats exactly "1".."group_size", steps, lengths.
std::vector<Fault> check_section(const std::string& section_id, const Json& section,
                                 const StartRequest& request);

/// The first fault of `value`, which is at `path`: a string in it holds a blocked word. Its field is the path
/// of that string ("sections.sec_01.teacher.steps[1]"), of a member's name the path of the object; names the
/// category and not the word.
std::optional<Fault> find_blocked(const Json& value, const std::string& path, const Blocklist& blocklist);

/// The same for each of a request's texts.
std::vector<Fault> find_blocked(const StartRequest& request, const Blocklist& blocklist);

/// proj.v1's validator for a whole document: {"ok", "checks": [{"id", "ok", "detail"}]}. `ok` is false where
/// a check that is an error fails; warnings have ok false in their own row only and a detail that begins with
/// "warning: ".
Json validate(const Json& document, const StartRequest& request, const Blocklist& blocklist);

}  // namespace gp::project
