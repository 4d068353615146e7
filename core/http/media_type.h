#pragma once

#include <string_view>

namespace gp::http {

/// Is a Content-Type that of JSON: application/json or application/<anything>+json, in any case, with
/// whatever parameters (RFC 9110, 8.3.1; RFC 6839, 3.1)?
bool is_json(std::string_view content_type);

}  // namespace gp::http
