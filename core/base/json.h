#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace gp {

/// JSON with the order of its members kept: documents read in the order of proj.v1's schema.
using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t max_bytes = 1 << 20;
  std::size_t max_depth = 32;  ///< nlohmann itself has no limit and would recurse 100,000 levels deep
};

/// Parses one JSON text strictly: valid UTF-8, no duplicate member, no U+0000 in a string (PostgreSQL's jsonb
/// rejects it), finite numbers, nothing after the root. Throws Error(kBadInput) naming the fault and its byte
/// position or member, or Error(kTooLarge). Every exception of the library ends here (it throws more types
/// than parse_error).
Json parse_json(std::string_view text, const JsonLimits& limits = {});

/// Compact text on one line. Invalid UTF-8 inside is replaced by U+FFFD instead of throwing.
std::string dump_json(const Json& value);

}  // namespace gp
