#pragma once

#include <string>

#include "core/base/json.h"

namespace gp::generation {

/// An answer of the LLM as output.json holds it: the JSON that it is, else {"text": ...} with JSON's escapes
/// undone where they are sound. A text that is cut in the middle holds "\n" as two characters, behind which
/// redaction would take a telephone number for a part of a word. Not redacted yet.
Json output_json(const std::string& answer);

}  // namespace gp::generation
