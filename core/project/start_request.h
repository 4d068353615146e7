#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/json.h"
#include "core/base/secret.h"

namespace gp::project {

/// What a teacher asks for: the body of POST /start after all checks. Strings are trimmed, valid UTF-8
/// without controls.
struct StartRequest {
  ProjectId project_id;  ///< 1-128 characters; no path segment is "." or ".."
  ChatId chat_id;        ///< 1-128 characters
  std::string title;     ///< empty where the caller sent none
  std::string topic;
  std::string life_skill;
  std::string grade_band = "6-8";
  int group_size = 0;    ///< 1-8 students
  int duration_min = 0;  ///< 10-240 minutes
  Secret owner_email;    ///< kept in generation_runs only; everything else shows redacted_email()
  bool uae_context = true;
};

/// Checks a body and returns the request, or every fault at once (never only the first). `field` is the
/// member's name,
/// "" where the body is not an object. Unknown members are ignored. The blocklist is a separate check
/// (blocklist.h).
std::variant<StartRequest, std::vector<Fault>> parse_start_request(const Json& body);

/// The request without owner_email, in a fixed order of members, for generation_runs.request and for
/// comparing two requests; `restore_start_request` reads it back. Throws Error(kBug) where the stored text is
/// not one of ours.
Json to_json(const StartRequest& request);
StartRequest restore_start_request(const Json& stored, Secret owner_email);

/// "redacted@school.ae": the domain kept, the local part hidden.
std::string redacted_email(const Secret& address);

}  // namespace gp::project
