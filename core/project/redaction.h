#pragma once

#include <string>
#include <string_view>

#include "core/base/json.h"

namespace gp::project {

/// Replaces personal data by "[email]", "[phone]", "[emirates_id]", "[iban]", "[card]": e-mail addresses, UAE
/// and other phone numbers in the groupings that people write, Emirates ids, IBANs and card numbers (by their
/// check digits), Arabic-Indic digits included. Lists, decimals and expressions of mathematics stay. Linear
/// time (RE2) on any input. Valid UTF-8 stays valid. Thread-safe. Idempotent: redact(redact(x)) == redact(x).
std::string redact(std::string_view text);

/// The same for every string in `value`, member names included. Returns how many strings changed.
int redact_strings(Json& value);

}  // namespace gp::project
