#pragma once

#include <string_view>

namespace gp::http {

/// Does If-None-Match name `etag` (RFC 9110 13.1.2: weak comparison, lists, "*")?
bool none_match_names(std::string_view if_none_match, std::string_view etag);

}  // namespace gp::http
