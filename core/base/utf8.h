#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gp::utf8 {

/// True where `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_valid(std::string_view text);

/// Code points in `text`, which must be valid UTF-8.
std::size_t length(std::string_view text);

/// True where valid UTF-8 `text` holds a character that must not be stored: C0 and C1 controls (tab and line
/// feed too, unless `allow_newlines`), the bidirectional overrides and isolates U+202A-202E and U+2066-2069,
/// U+FEFF.
bool has_control(std::string_view text, bool allow_newlines);

/// Without leading and trailing white space (ASCII, U+00A0, U+2000-200B, U+3000). `text` must be valid UTF-8.
std::string trim(std::string_view text);

/// Every malformed sequence replaced by U+FFFD: for text that comes from outside and is only shown.
std::string sanitize(std::string_view text);

/// At most `max_code_points` of valid UTF-8 `text`, with "..." where something was cut.
std::string truncate(std::string_view text, std::size_t max_code_points);

}  // namespace gp::utf8
