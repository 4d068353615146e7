#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/base/json.h"

namespace gp::project {

/// Replaces personal data by "[email]", "[phone]", "[emirates_id]", "[iban]", "[card]": e-mail addresses, UAE
/// and other phone numbers in the groupings that people write, Emirates ids, IBANs and card numbers (by their
/// check digits), Arabic-Indic digits included. Lists, decimals and expressions of mathematics stay. Linear
/// time (RE2) on any input. Valid UTF-8 stays valid. Thread-safe. Idempotent: redact(redact(x)) == redact(x).
std::string redact(std::string_view text);

/// Names for the members of one object: a name that was given before gets a number behind it ("name 2"), so
/// that nothing is lost. Linear in the number of names, however often one comes again. One thread at a time.
class MemberNames {
 public:
  /// `name`, or the first of "name 2", "name 3" ... that was not given yet.
  std::string unique(const std::string& name);

 private:
  std::unordered_set<std::string> given_;
  std::unordered_map<std::string, std::size_t> next_copy_;  ///< by name; every copy before it is given
};

/// redact() for every string in `value`, member names included: those that become equal get a number
/// (MemberNames). Returns how many strings changed.
int redact_strings(Json& value);

}  // namespace gp::project
