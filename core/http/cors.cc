#include "core/http/cors.h"

#include <algorithm>

namespace gp::http {
namespace {

constexpr const char* kAllowedHeaders =
    "Content-Type, Last-Event-ID, If-None-Match, X-Request-ID, Cache-Control";
constexpr const char* kExposedHeaders =
    "X-Request-ID, Location, ETag, Retry-After, Idempotent-Request-Differs";
constexpr const char* kPreflightMaxAgeS = "86400";

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> origins;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    std::string origin = list.substr(at, comma - at);
    std::erase(origin, ' ');
    if (!origin.empty()) origins.push_back(std::move(origin));
    at = comma + 1;
  }
  return origins;
}

}  // namespace

Cors::Cors(const std::string& allowed, std::string methods)
    : origins_(split(allowed)), methods_(std::move(methods)) {
  any_ = std::ranges::find(origins_, "*") != origins_.end();
}

bool Cors::is_allowed(const Request& request) const {
  const auto origin = request.header("origin");
  return any_ || (origin && std::ranges::find(origins_, *origin) != origins_.end());
}

void Cors::apply(const Request& request, Response& response) const {
  if (!any_) response.with("Vary", "Origin");
  if (!is_allowed(request)) return;
  response.with("Access-Control-Allow-Origin", any_ ? "*" : std::string(*request.header("origin")));
  response.with("Access-Control-Expose-Headers", kExposedHeaders);
}

Response Cors::preflight(const Request& request) const {
  Response response{204, {{"Allow", methods_}}, {}};
  if (is_allowed(request)) {
    response.with("Access-Control-Allow-Methods", methods_)
        .with("Access-Control-Allow-Headers", kAllowedHeaders)
        .with("Access-Control-Max-Age", kPreflightMaxAgeS);
  }
  return response;
}

}  // namespace gp::http
