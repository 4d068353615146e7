#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/support/sim_llm/author.h"

namespace sim {

/// What is wrong with `schema` for strict Structured Outputs, as a provider would refuse it: every object
/// closed and complete, no keyword outside the subset, no more than ten levels. Empty: nothing.
std::string strict_fault(const gp::Json& schema);

/// Any value that conforms to `schema`: what the simulated model says where it knows no better.
gp::Json invent(const gp::Json& schema, const gp::Json& root, std::uint64_t seed);

/// The author's answer, held to the schema: members and their order are the schema's; what the author does
/// not know is invented. A null schema: the author's own order.
gp::Json write_by_schema(const gp::Json& schema, const Author& author, std::uint64_t seed);

}  // namespace sim
