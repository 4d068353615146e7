#include "core/llm/assignment.h"

#include <fmt/format.h>

namespace gp::llm {

std::vector<std::string> section_ids_for(int duration_min) {
  const int count = duration_min <= 30 ? 2 : duration_min <= 60 ? 3 : duration_min <= 90 ? 4 : 5;
  std::vector<std::string> ids;
  for (int number = 1; number <= count; ++number) ids.push_back(fmt::format("sec_{:02}", number));
  return ids;
}

}  // namespace gp::llm
