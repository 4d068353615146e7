#include "core/project/redaction.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <re2/re2.h>

namespace gp::project {
namespace {

/// Text in which digits of every script and typographic spaces and hyphens are ASCII, so that one set of
/// patterns finds them, and where each of its bytes stood in the original.
struct Folded {
  std::string text;
  std::vector<std::size_t> origin;  ///< one entry per byte of `text`, and one for its end
};

struct Symbol {
  std::uint32_t code_point = 0;
  std::size_t size = 1;
};

/// The code point of valid UTF-8 at `at`; a stray byte counts as itself.
Symbol symbol_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(at);
  const std::size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (size == 1 || at + size > text.size()) return {lead, 1};
  std::uint32_t code_point = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code_point = (code_point << 6U) | (byte(at + i) & 0x3FU);
  return {code_point, size};
}

/// The ASCII character that `code_point` is another form of, or 0.
char ascii_form(std::uint32_t code_point) {
  const auto digit = [&](std::uint32_t zero) { return static_cast<char>('0' + (code_point - zero)); };
  for (const std::uint32_t zero : {0x0660U, 0x06F0U, 0xFF10U}) {
    if (code_point >= zero && code_point <= zero + 9) return digit(zero);
  }
  if (code_point == 0x00A0 || code_point == 0x2007 || code_point == 0x202F) return ' ';
  if (code_point >= 0x2010 && code_point <= 0x2015) return '-';
  if (code_point == 0xFF20) return '@';
  if (code_point == 0xFF0B) return '+';
  return 0;
}

Folded fold(std::string_view text) {
  Folded folded;
  folded.text.reserve(text.size());
  folded.origin.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const Symbol symbol = symbol_at(text, at);
    const char ascii = symbol.size > 1 ? ascii_form(symbol.code_point) : '\0';
    if (ascii != 0) {
      folded.text += ascii;
      folded.origin.push_back(at);
    } else {
      for (std::size_t i = 0; i < symbol.size; ++i) {
        folded.text += text[at + i];
        folded.origin.push_back(at + i);
      }
    }
    at += symbol.size;
  }
  folded.origin.push_back(text.size());
  return folded;
}

/// ISO/IEC 7812-1: from the right, every second digit doubled; the sum is a multiple of ten.
bool passes_luhn(std::string_view text) {
  int sum = 0;
  bool is_doubled = false;
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
    if (*digit < '0' || *digit > '9') continue;
    const int value = (*digit - '0') * (is_doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
    is_doubled = !is_doubled;
  }
  return sum % 10 == 0;
}

struct Kind {
  const char* pattern;  ///< group 1 is what is replaced; what stands around it only guards
  const char* token;
  bool (*confirms)(std::string_view);  ///< nullptr: the pattern is enough
};

// Longer and more certain kinds first, so that a part of one is not taken for another.
constexpr std::array<Kind, 9> kKinds = {{
    {R"(([\p{L}\p{N}._%+'\-]+@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?\.)+\p{L}[\p{L}\p{M}]+))",
     "[email]", nullptr},
    {R"((?:^|[^0-9A-Za-z])(784[-\s.]?(?:19|20)\d{2}[-\s.]?\d{7}[-\s.]?\d)(?:$|[^0-9A-Za-z]))",
     "[emirates_id]", nullptr},
    {R"((?i)(?:^|[^0-9A-Za-z])(AE\d{2}(?:\s?\d{4}){4}\s?\d{3})(?:$|[^0-9A-Za-z]))", "[iban]", nullptr},
    {R"((?:^|[^0-9A-Za-z])((?:\+|00)\s?971[\s\-.()]{0,3}0?[\s\-.()]{0,2}(?:5\d|[2-9])(?:[\s\-.]?\d){7})(?:$|[^0-9]))",
     "[phone]", nullptr},
    {R"((?:^|[^0-9A-Za-z.,])(9715\d{8})(?:$|[^0-9]))", "[phone]", nullptr},
    {R"((?:^|[^0-9A-Za-z.,+\-])(\d(?:[ \-]?\d){12,18})(?:$|[^0-9]))", "[card]", passes_luhn},
    {R"((?:^|[^0-9A-Za-z.,])(05\d[\s\-]?\d{3}[\s\-]?\d{4})(?:$|[^0-9]))", "[phone]", nullptr},
    {R"((?:^|[^0-9A-Za-z.,])(0[234679][\s\-]\d{3}[\s\-]?\d{4})(?:$|[^0-9]))", "[phone]", nullptr},
    {R"((\+[1-9](?:[\s\-.()]{0,2}\d){7,14}))", "[phone]", nullptr},
}};

const RE2& compiled(std::size_t kind) {
  static const auto patterns = [] {
    std::vector<std::unique_ptr<RE2>> all;
    for (const Kind& each : kKinds) all.push_back(std::make_unique<RE2>(each.pattern));
    return all;
  }();
  return *patterns[kind];
}

/// `text` without one kind of personal data.
std::string without(const std::string& text, std::size_t kind) {
  const Folded folded = fold(text);
  std::string result;
  std::size_t copied = 0;  // in `text`
  std::size_t from = 0;    // in folded.text
  std::array<re2::StringPiece, 2> groups;
  while (compiled(kind).Match(folded.text, from, folded.text.size(), RE2::UNANCHORED, groups.data(), 2)) {
    const auto begin = static_cast<std::size_t>(groups[1].data() - folded.text.data());
    const auto end = begin + groups[1].size();
    from = end;
    const auto confirms = kKinds[kind].confirms;
    if (confirms != nullptr && !confirms({groups[1].data(), groups[1].size()})) continue;
    result.append(text, copied, folded.origin[begin] - copied);
    result += kKinds[kind].token;
    copied = folded.origin[end];
  }
  if (copied == 0) return text;
  return result.append(text, copied);
}

/// Every kind holds an @ or at least seven digits.
bool may_hold_personal_data(std::string_view text) {
  int digits = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Symbol symbol = symbol_at(text, at);
    const char ascii = symbol.size > 1 ? ascii_form(symbol.code_point) : text[at];
    if (ascii == '@') return true;
    if (ascii >= '0' && ascii <= '9' && ++digits >= 7) return true;
    at += symbol.size;
  }
  return false;
}

}  // namespace

std::string redact(std::string_view text) {
  std::string result(text);
  if (!may_hold_personal_data(result)) return result;
  // What is taken out may leave a neighbour that only now stands alone. Each round takes out an @ or digits,
  // so this ends.
  for (std::string before; before != result;) {
    before = result;
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind) result = without(result, kind);
  }
  return result;
}

int redact_strings(Json& value) {
  int changed = 0;
  if (value.is_string()) {
    auto& text = value.get_ref<std::string&>();
    std::string clean = redact(text);
    changed += clean != text ? 1 : 0;
    text = std::move(clean);
  } else if (value.is_array()) {
    for (Json& item : value) changed += redact_strings(item);
  } else if (value.is_object()) {
    Json members = Json::object();
    for (auto& [name, member] : value.items()) {
      changed += redact_strings(member);
      const std::string clean = redact(name);
      changed += clean != name ? 1 : 0;
      std::string unique = clean;
      for (int copy = 2; members.contains(unique); ++copy) unique = fmt::format("{} {}", clean, copy);
      members[unique] = std::move(member);
    }
    value = std::move(members);
  }
  return changed;
}

}  // namespace gp::project
