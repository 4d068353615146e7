#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/llm/assignment.h"

namespace gp::llm {

/// A part of the answer in proj.v1's shape, and what is wrong with it. `value` may be used only where
/// `faults` is empty.
struct Shaped {
  Json value;
  std::vector<Fault> faults;
};

/// Brings the model's plan or section into proj.v1's shape: lists of {key, value} become objects, operators
/// are normalised
/// ("≤" to "<="), numeric strings become numbers, text is trimmed; then it is checked against the response
/// schema. A section that would be longer than project::check_section() allows is a fault before its lists
/// are folded. Linear in the size of the answer. Coercions are deterministic; whatever they cannot mend is a
/// fault. A plan gets no blocklist_ok here: that is computed later.
Shaped shape_plan(const Json& raw, const Assignment& assignment);
Shaped shape_section(const std::string& section_id, const Json& raw, const Assignment& assignment);

}  // namespace gp::llm
