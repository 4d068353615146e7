#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace gp {

using WallTime = std::chrono::system_clock::time_point;    ///< for what people read and what is stored
using SteadyTime = std::chrono::steady_clock::time_point;  ///< for durations and deadlines

inline WallTime wall_now() { return std::chrono::system_clock::now(); }
inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

/// RFC 3339 in UTC with milliseconds: "2026-11-23T08:30:00.125Z".
std::string format_rfc3339(WallTime time);

/// What format_rfc3339 writes. Nothing where `text` is anything else: another zone, another precision.
std::optional<WallTime> parse_rfc3339(const std::string& text);

}  // namespace gp
