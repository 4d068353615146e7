#include "core/project/project_id.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace gp::project {
namespace {

constexpr std::size_t kUuidDigits = 32;

/// The digits in lower case; nothing where `text` is no UUID. PostgreSQL takes hyphens after any group of
/// four digits, or none, and braces around all of it.
std::optional<std::string> uuid_digits(std::string_view text) {
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  std::string digits;
  char former = '-';
  for (const char c : text) {
    if (c == '-') {
      if (former == '-' || digits.size() % 4 != 0 || digits.size() == kUuidDigits) return std::nullopt;
    } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
      digits += c;
    } else if (c >= 'A' && c <= 'F') {
      digits += static_cast<char>(c - 'A' + 'a');
    } else {
      return std::nullopt;
    }
    former = c;
  }
  return digits.size() == kUuidDigits ? std::optional(digits) : std::nullopt;
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  const auto digits = uuid_digits(text);
  if (!digits) return std::nullopt;
  const std::string_view all = *digits;
  return fmt::format("{}-{}-{}-{}-{}", all.substr(0, 8), all.substr(8, 4), all.substr(12, 4),
                     all.substr(16, 4), all.substr(20));
}

/// Takes the prefix of a number that is not decimal from `digits`.
int take_base(std::string& digits) {
  const std::string_view prefix = std::string_view(digits).substr(0, 2);
  int base = 10;
  if (prefix == "0x" || prefix == "0X") base = 16;
  if (prefix == "0o" || prefix == "0O") base = 8;
  if (prefix == "0b" || prefix == "0B") base = 2;
  if (base != 10) digits.erase(0, 2);
  return base;
}

std::optional<std::string> canonical_integer(std::string_view text) {
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  std::string digits(text.substr(has_sign ? 1 : 0));
  std::erase(digits, '_');
  const int base = take_base(digits);
  if (digits.starts_with('-')) return std::nullopt;
  if (text.starts_with('-')) digits.insert(0, "-");
  std::int64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto [read_to, fault] = std::from_chars(digits.data(), end, number, base);
  if (fault != std::errc{} || read_to != end) return std::nullopt;
  return std::to_string(number);
}

}  // namespace

ProjectId canonical_id(const ProjectId& id, IdColumn column) {
  std::optional<std::string> canonical;
  if (column == IdColumn::kUuid) canonical = canonical_uuid(id.str());
  if (column == IdColumn::kInteger) canonical = canonical_integer(id.str());
  return canonical ? ProjectId(std::move(*canonical)) : id;
}

}  // namespace gp::project
