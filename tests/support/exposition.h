#pragma once

#include <map>
#include <string>
#include <vector>

namespace support {

/// One family of a text in the Prometheus format 0.0.4.
struct Family {
  std::string type;
  std::vector<std::string> order;         ///< the keys of `samples` as they came
  std::map<std::string, double> samples;  ///< by what stands before the value: `name` or `name{label="x"}`
};

/// Reads such a text, and throws std::runtime_error with the line where it breaks a rule of the format or of
/// its conventions: HELP and TYPE once and before the samples of their family; names and labels of the
/// allowed characters; no series twice; `_total` for counters alone; buckets cumulative, ascending, ending in
/// +Inf, which is the count; a line feed at the end.
std::map<std::string, Family> parse_exposition(const std::string& text);

/// The value of one series, such as `generate_project_processes{handler="start"}`; throws where there is
/// none.
double sample(const std::map<std::string, Family>& families, const std::string& series);

}  // namespace support
