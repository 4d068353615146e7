#include "core/http/request.h"

#include <algorithm>

#include "core/http/percent.h"

namespace gp::http {

std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  const auto found = std::ranges::find(headers, lower_case_name, &std::pair<std::string, std::string>::first);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> Request::query_value(std::string_view name) const {
  const std::string_view all(query);
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('&', at), all.size());
    const std::string_view pair = all.substr(at, end - at);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals), true) == name) {
      return percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    }
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace gp::http
