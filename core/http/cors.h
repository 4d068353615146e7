#pragma once

#include <string>
#include <vector>

#include "core/http/request.h"
#include "core/http/response.h"

namespace gp::http {

/// Cross-origin rules of one handler (Fetch standard, "CORS protocol"). Credentials are never allowed: the
/// service has no cookies. Immutable.
class Cors {
 public:
  /// `allowed` is CORS_ALLOWED_ORIGINS: "*", or origins separated by commas. `methods` is what the handler's
  /// Allow says.
  Cors(const std::string& allowed, std::string methods);

  /// Adds Access-Control-Allow-Origin and Access-Control-Expose-Headers where the request's origin is
  /// allowed, and Vary: Origin where the answer depends on it.
  void apply(const Request& request, Response& response) const;

  /// The answer to OPTIONS: 204, with the preflight headers where the origin is allowed.
  Response preflight(const Request& request) const;

  const std::string& methods() const noexcept { return methods_; }

 private:
  bool is_allowed(const Request& request) const;

  bool any_ = false;
  std::vector<std::string> origins_;
  std::string methods_;
};

}  // namespace gp::http
