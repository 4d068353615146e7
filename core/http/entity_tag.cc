#include "core/http/entity_tag.h"

#include <algorithm>

namespace gp::http {

bool none_match_names(std::string_view if_none_match, std::string_view etag) {
  for (std::size_t at = 0; at <= if_none_match.size();) {
    const std::size_t comma = std::min(if_none_match.find(',', at), if_none_match.size());
    std::string_view tag = if_none_match.substr(at, comma - at);
    while (!tag.empty() && tag.front() == ' ') tag.remove_prefix(1);
    while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == "*" || tag == etag) return true;
    at = comma + 1;
  }
  return false;
}

}  // namespace gp::http
