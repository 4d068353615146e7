#pragma once

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
  std::string instance = {};       ///< set by the serve loop: "urn:request:<X-Request-ID>"
};

/// application/problem+json with type, title, status, detail, instance, code, and errors where there are
/// faults.
Response to_response(const Problem& problem);

/// The table from ErrorKind to status and code. A kBug or kInDoubt shows no message of ours.
Problem problem_for(const Error& error);

Problem method_not_allowed();  ///< the caller adds Allow
Problem not_found();

}  // namespace gp::http
