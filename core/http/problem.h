#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/http/response.h"

namespace gp::http {

/// An RFC 9457 answer. The one place that decides which status a failure becomes is problem.cc.
struct Problem {
  int status = 500;
  std::string code;                ///< stable and machine readable: "invalid_request", "blocked_content",
                                   ///< "database_unavailable" ...
  std::string detail;              ///< a sentence for people
  std::vector<Fault> faults = {};  ///< becomes errors: [{field, problem}]
  std::chrono::seconds retry_after{2};  ///< of a 429 or 503: long enough for a failover to begin, short
                                        ///< enough for a person to wait
};

/// application/problem+json with type, title, status, detail, instance ("urn:request:<X-Request-ID>"), code,
/// and errors where there are faults; 429 and 503 get a Retry-After.
Response to_response(const Problem& problem, std::string_view request_id);

/// The table from ErrorKind to status and code. A kBug or kInDoubt shows no message of ours.
Problem problem_for(const Error& error);

Problem method_not_allowed();  ///< the caller adds Allow
Problem not_found();

}  // namespace gp::http
