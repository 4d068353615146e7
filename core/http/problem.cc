#include "core/http/problem.h"

#include "core/base/json.h"

namespace gp::http {
namespace {

bool is_worth_retrying(int status) { return status == 429 || status == 503; }

}  // namespace

Response to_response(const Problem& problem, std::string_view request_id) {
  Json body = {{"type", "about:blank"},
               {"title", reason_phrase(problem.status)},
               {"status", problem.status},
               {"detail", problem.detail},
               {"instance", "urn:request:" + std::string(request_id)},
               {"code", problem.code}};
  if (!problem.faults.empty()) {
    Json& errors = body["errors"] = Json::array();
    for (const Fault& fault : problem.faults)
      errors.push_back({{"field", fault.field}, {"problem", fault.problem}});
  }
  Response response{problem.status,
                    {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}},
                    dump_json(body)};
  if (is_worth_retrying(problem.status))
    response.with("Retry-After", std::to_string(problem.retry_after.count()));
  return response;
}

Problem problem_for(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kBadInput:
      return {400, "bad_request", error.what()};
    case ErrorKind::kNotFound:
      return {404, "not_found", error.what()};
    case ErrorKind::kConflict:
      return {409, "conflict", error.what()};
    case ErrorKind::kTooLarge:
      return {413, "too_large", error.what()};
    case ErrorKind::kUnavailable:
    case ErrorKind::kInDoubt:
      return {503, "database_unavailable", "The database is away; the same request may be sent again."};
    case ErrorKind::kSchema:
      return {503, "schema_mismatch",
              "The service and its database are of different versions; the operator must act."};
    case ErrorKind::kBug:
      break;
  }
  return {500, "internal", "The service failed; the log has the details under the request's id."};
}

Problem method_not_allowed() {
  return {405, "method_not_allowed", "This resource does not take this method."};
}

Problem not_found() { return {404, "not_found", "There is nothing at this path."}; }

}  // namespace gp::http
