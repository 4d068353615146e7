#pragma once

#include "core/base/json.h"
#include "core/llm/assignment.h"

namespace gp::llm {

/// The `messages` of the call: one static system message (so that providers cache it) and one user message
/// that is a JSON object of inputs. The teacher's words travel as data only, after redaction; owner_email,
/// project_id and chat_id never.
Json make_messages(const Assignment& assignment);

}  // namespace gp::llm
