#pragma once

#include "core/base/json.h"
#include "core/llm/assignment.h"

namespace gp::llm {

/// The JSON Schema of the answer to one assignment, within the strict subset that Structured Outputs accepts:
/// every member required, no free keys, plan before sections, sections and seats declared by name, `data` and
/// `extras` as lists of {key, value}. Derived from proj.v1's schema by the assignment's group size and wanted
/// sections.
Json response_schema(const Assignment& assignment);

}  // namespace gp::llm
