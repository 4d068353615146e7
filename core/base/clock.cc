#include "core/base/clock.h"

#include <ctime>
#include <iomanip>
#include <sstream>

#include <fmt/chrono.h>

namespace gp {

std::string format_rfc3339(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     millis);
}

std::optional<WallTime> parse_rfc3339(const std::string& text) {
  std::istringstream stream(text);
  std::tm fields{};
  char point = 0;
  int millis = 0;
  stream >> std::get_time(&fields, "%Y-%m-%dT%H:%M:%S") >> point >> millis;
  if (!stream) return std::nullopt;
  const WallTime time =
      std::chrono::system_clock::from_time_t(::timegm(&fields)) + std::chrono::milliseconds(millis);
  // The fields may be written in other ways, and a 30th of February becomes a day of March.
  return format_rfc3339(time) == text ? std::optional(time) : std::nullopt;
}

}  // namespace gp
