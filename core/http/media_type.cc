#include "core/http/media_type.h"

#include <algorithm>
#include <string>

namespace gp::http {

bool is_json(std::string_view content_type) {
  std::string essence(content_type.substr(0, content_type.find_first_of("; \t")));
  std::ranges::transform(essence, essence.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
}

}  // namespace gp::http
