#include "core/project/redaction.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

namespace gp::project {
namespace {

/// Text in which digits of every script and typographic spaces and hyphens are ASCII and nothing invisible
/// stands behind a digit, so that one set of patterns finds them, and where each of its bytes stood in the
/// original.
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
  if ((code_point >= 0x2010 && code_point <= 0x2015) || code_point == 0x2212 || code_point == 0xFF0D)
    return '-';
  if (code_point == 0xFF20) return '@';
  if (code_point == 0xFF0B) return '+';
  if (code_point == 0xFF0E) return '.';
  return 0;
}

/// Marks of direction, joiners and the like, which are seen nowhere.
bool is_invisible(std::uint32_t code_point) {
  return (code_point >= 0x200B && code_point <= 0x200F) || (code_point >= 0x202A && code_point <= 0x202E) ||
         (code_point >= 0x2060 && code_point <= 0x2069) || code_point == 0x00AD || code_point == 0xFEFF;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Folded fold(std::string_view text) {
  Folded folded;
  folded.text.reserve(text.size());
  folded.origin.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const Symbol symbol = symbol_at(text, at);
    const char ascii = symbol.size > 1 ? ascii_form(symbol.code_point) : '\0';
    const bool is_behind_digit = !folded.text.empty() && is_digit(folded.text.back());
    if (is_behind_digit && is_invisible(symbol.code_point)) {
      at += symbol.size;
      continue;
    }
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

/// ISO 13616: with the first four characters behind the rest and letters read as 10 .. 35, the number leaves
/// 1 when it is divided by 97.
bool passes_mod_97(std::string_view text) {
  std::string iban;
  for (const char c : text) {
    const bool is_lower = c >= 'a' && c <= 'z';
    if (c != ' ' && c != '-') iban += is_lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  std::rotate(iban.begin(), iban.begin() + 4, iban.end());
  int rest = 0;
  for (const char c : iban) rest = (c <= '9' ? rest * 10 + (c - '0') : rest * 100 + (c - 'A' + 10)) % 97;
  return rest == 1;
}

/// The size of the longest beginning of `groups` that ends with one of its groups, holds at least `least`
/// letters and digits, and passes. 0 where none does. What follows a number may look like a group of it.
std::size_t longest_passing(std::string_view groups, long least, bool (*passes)(std::string_view)) {
  constexpr std::string_view kSeparators = " -.";
  const auto is_separator = [&](char c) { return kSeparators.find(c) != std::string_view::npos; };
  while (static_cast<long>(groups.size()) - std::ranges::count_if(groups, is_separator) >= least) {
    if (passes(groups)) return groups.size();
    const auto end = groups.find_last_of(kSeparators);
    groups = groups.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return 0;
}

std::size_t iban_size(std::string_view groups) { return longest_passing(groups, 15, passes_mod_97); }
std::size_t card_size(std::string_view groups) { return longest_passing(groups, 13, passes_luhn); }

struct Kind {
  std::string pattern;  ///< group 1 is what is replaced; what stands around it only guards
  const char* token;
  /// How much of group 1 is replaced, 0 where it is none of this kind. nullptr: all, the pattern is enough.
  std::size_t (*confirmed_size)(std::string_view) = nullptr;
};

std::string joined(std::initializer_list<std::string_view> parts) {
  return fmt::format("{}", fmt::join(parts, ""));
}

// What stands before a number that is not part of a larger one, of a decimal or of a word: a dot or a comma
// only where it cannot be a decimal's ("tel.0501234567").
constexpr std::string_view kBefore = R"((?:^|[^0-9A-Za-z.,]|\p{L}\.|[^0-9],))";
// The same where a sign before it would make it a term of an expression.
constexpr std::string_view kBeforeUnsigned = R"((?:^|[^0-9A-Za-z.,+\-]|\p{L}[.\-]|[^0-9],))";
// What stands before the plus of a phone number: nothing that ends an expression.
constexpr std::string_view kBeforePlus = R"((?:^|[^\p{L}\p{M}\p{N})}%!°′″]))";
constexpr std::string_view kAfter = R"((?:$|[^0-9.]|\.(?:$|[^0-9])))";

// The first four digits of payment cards; other numbers begin with 0, 1 and 7 .. 9 as well.
constexpr std::string_view kCardBegin = R"((?:2[2-7]|[3-6]\d)\d{2})";
// A subscriber's seven digits in the UAE: 1234567, 123 4567, 123 45 67.
constexpr std::string_view kSevenDigits = R"(\d{3}[\s\-.]?\d{2}[\s\-.]?\d{2})";
// ITU-T E.164: the country codes of two and of three digits; those of one are 1 and 7.
constexpr std::string_view kCountryCode =
    R"((?:2[07]|2[1-69]\d|3[0-469]|3[578]\d|4[013-9]|42\d|5[1-8]|5[09]\d|6[0-6]|6[7-9]\d|8[1246]|8[0578]\d|9[0-58]|9[679]\d))";

/// Phone numbers of every country behind their plus or 00, in the groups that people write. A minus or a
/// bracket behind one or two digits is taken for arithmetic, unless what follows is as long as a subscriber's
/// number.
std::string international_groups() {
  constexpr std::array<std::string_view, 9> kBehindAnyCode = {
      // +44 20 7946 0958, +44 (0)20 7946 0958, +91 98765 43210, +92 300-1234567
      R"( ?(?:\(0\) ?)?(?:(?:\d{2}[ .]|\d{3,5}[ \-.]){1,3}\d{4,10}|\d{7,12}))",
      // +92-300-1234567, +91-98765-43210
      R"(-(?:\d{3,5}-\d{6,8}|\d{5}-\d{5}|\d{9,11}))",
      // +34 612 345 678, but not a round number: +34 000 000 000
      R"((?: \d{3}){2} (?:\d{2}[1-9]|\d[1-9]\d|[1-9]\d{2}))",
      // +962 7 9012 3456, +20 2 2735 1234
      R"( \d \d{4} \d{4})",
      // +31 6 12345678
      R"( \d \d{8})",
      // +90 532 123 45 67, +41 79 123 45 67, +46 70-123 45 67
      R"( \d{2,3}[ \-]\d{3} \d{2} \d{2})",
      // +34 612 34 56 78, +47 912 34 567
      R"( \d{3} \d{2} (?:\d{2} \d{2}|\d{3}))",
      // +49 (30) 123456, +44 (20) 7946 0958, +55 (11) 91234-5678
      R"( ?\(\d{2,4}\) ?(?:\d{3,5}[ \-]\d{3,5}|\d{6,8}))",
      // +81 90-1234-5678
      R"( \d{2,3}-\d{3,4}-\d{4})",
  };
  constexpr std::array<std::string_view, 3> kOthers = {
      // the neighbours: +966 50 123 4567, +966-50-1234567, +974-5512-3456, +961 70 123 456
      R"(9[67]\d(?:[ \-.]?\d{1,2}[ \-.]?\d{3}[ \-.]?\d{4}|[ \-.]?\d{4}[ \-.]?\d{4}| ?\d{1,2} \d{3} \d{3}))",
      // +33 1 42 68 53 00, +212 6 12 34 56 78
      R"((?:33|21[236]) ?(?:\(0\) ?)?[1-9](?: \d{2}){4})",
      // +45 12 34 56 78
      R"(4[57](?: \d{2}){4})",
  };
  return fmt::format("{}(?:{})|{}", kCountryCode, fmt::join(kBehindAnyCode, "|"), fmt::join(kOthers, "|"));
}

std::string phone_with_plus() {
  const std::string in_one_piece = joined({R"(1[2-9]\d{9}|7\d{10}|)", kCountryCode, R"(\d{6,12})"});
  // +1 202 555 0143, +1 (202) 555-0143, +7 912 345-67-89
  constexpr std::string_view kOneAndSeven =
      R"([17][ \-.]?(?:\([2-9]\d{2}\)|[2-9]\d{2})[ \-.]?\d{3}[ \-.]?\d{2}[ \-.]?\d{2})";
  return joined(
      {kBeforePlus, R"((\+(?:)", in_one_piece, "|", kOneAndSeven, "|", international_groups(), "))", kAfter});
}

/// As people dial it. In one piece it is longer than the number of a book or of a product that begins with
/// zeros.
std::string phone_with_zeros() {
  const std::string in_one_piece = joined({kCountryCode, R"(\d{8,11})"});
  constexpr std::string_view kOne = R"(1[ \-.]\(?[2-9]\d{2}\)?[ \-.]\d{3}[ \-.]\d{4})";
  return joined(
      {kBeforeUnsigned, R"((00 ?(?:)", in_one_piece, "|", kOne, "|", international_groups(), "))", kAfter});
}

/// Groups that are all round are numbers to reckon with: "+20 100 4500".
std::size_t phone_size(std::string_view number) {
  const auto first_gap = std::ranges::find_if_not(number.substr(2), is_digit) - number.begin();
  bool has_groups = false;
  bool is_round = true;
  for (auto at = static_cast<std::size_t>(first_gap); at < number.size(); ++at) {
    const bool is_end = is_digit(number[at]) && (at + 1 == number.size() || !is_digit(number[at + 1]));
    has_groups = has_groups || is_end;
    is_round = is_round && (!is_end || number[at] == '0');
  }
  return has_groups && is_round ? 0 : number.size();
}

/// Longer and more certain kinds first, so that a part of one is not taken for another.
std::vector<Kind> make_kinds() {
  return {
      {R"(([\p{L}\p{N}._%+'\-]+@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?\.)+\p{L}[\p{L}\p{M}]+))",
       "[email]"},
      {R"((?:^|[^0-9A-Za-z])(784[-\s./]?(?:19|20)\d{2}[-\s./]?\d{7}[-\s./]?\d)(?:$|[^0-9A-Za-z]))",
       "[emirates_id]"},
      {R"((?i)(?:^|[^0-9A-Za-z])(AE\d{2}(?:[ \-]?\d{4}){4}[ \-]?\d{3})(?:$|[^0-9A-Za-z]))", "[iban]"},
      // of any country, 15 .. 34 characters in one piece or in fours
      {R"((?i)(?:^|[^0-9A-Za-z])([A-Z]{2}\d{2}(?:[0-9A-Z]{11,30}|(?:[ \-][0-9A-Z]{4}){2,7}(?:[ \-][0-9A-Z]{1,3})?))(?:$|[^0-9A-Za-z]))",
       "[iban]", iban_size},
      {R"((?:^|[^0-9A-Za-z])((?:\+|00)\s?971[\s\-.()]{0,3}0?[\s\-.()]{0,2}(?:5\d|[2-9])(?:[\s\-.]?\d){7})(?:$|[^0-9]))",
       "[phone]"},
      {joined({kBeforeUnsigned, R"((971[\s\-.]?(?:5\d|[234679])[\s\-.]?)", kSevenDigits, ")", kAfter}),
       "[phone]"},
      {joined({kBeforeUnsigned, "(", kCardBegin, R"((?:[ \-]\d{4}){3}(?:[ \-]\d{3})?))", kAfter}), "[card]",
       card_size},
      {joined({kBeforeUnsigned, "(", kCardBegin, R"((?:\.\d{4}){3}))", kAfter}), "[card]", card_size},
      {joined({kBeforeUnsigned, R"((3\d{3}[ \-]\d{6}[ \-]\d{4,5}))", kAfter}), "[card]", card_size},
      {joined({kBeforeUnsigned, "(", kCardBegin, R"(\d{9,15}))", kAfter}), "[card]", card_size},
      {joined({kBefore, R"(((?:\(05\d\)|05\d)[\s\-./]?)", kSevenDigits, ")", kAfter}), "[phone]"},
      {joined({kBefore, R"(((?:\(0[234679]\)[\s\-.]?|0[234679][\s\-.]))", kSevenDigits, ")", kAfter}),
       "[phone]"},
      {joined({kBeforeUnsigned, R"((0[234679]\d{7}))", kAfter}), "[phone]"},
      {R"((?:^|[^0-9A-Za-z.])(05\d(?:/\d{3}/\d{4}| - \d{3} - \d{4}| \d{4} \d{3}))(?:$|[^0-9]))", "[phone]"},
      {phone_with_plus(), "[phone]", phone_size},
      {phone_with_zeros(), "[phone]", phone_size},
  };
}

struct CompiledKind {
  Kind kind;
  RE2 pattern;
  explicit CompiledKind(const Kind& given) : kind(given), pattern(given.pattern) {}
};

const std::vector<std::unique_ptr<CompiledKind>>& kinds() {
  static const auto compiled = [] {
    std::vector<std::unique_ptr<CompiledKind>> all;
    for (const Kind& kind : make_kinds()) all.push_back(std::make_unique<CompiledKind>(kind));
    return all;
  }();
  return compiled;
}

/// `text` without one kind of personal data.
std::string without(const std::string& text, const CompiledKind& kind) {
  const Folded folded = fold(text);
  std::string result;
  std::size_t copied = 0;  // in `text`
  std::size_t from = 0;    // in folded.text
  std::array<re2::StringPiece, 2> groups;
  while (kind.pattern.Match(folded.text, from, folded.text.size(), RE2::UNANCHORED, groups.data(), 2)) {
    const auto begin = static_cast<std::size_t>(groups[1].data() - folded.text.data());
    const auto confirmed_size = kind.kind.confirmed_size;
    const std::size_t size =
        confirmed_size == nullptr ? groups[1].size() : confirmed_size({groups[1].data(), groups[1].size()});
    from = begin + std::max<std::size_t>(1, size);  // what is none may hold one: "seat 3 4111111111111111"
    if (size == 0) continue;
    result.append(text, copied, folded.origin[begin] - copied);
    result += kind.kind.token;
    copied = folded.origin[begin + size];
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
    for (const auto& kind : kinds()) result = without(result, *kind);
  }
  return result;
}

std::string MemberNames::unique(const std::string& name) {
  if (given_.insert(name).second) return name;
  std::size_t& copy = next_copy_.try_emplace(name, 2).first->second;
  for (;;) {
    std::string numbered = fmt::format("{} {}", name, copy++);
    if (given_.insert(numbered).second) return numbered;
  }
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
    MemberNames names;
    Json::object_t members;  // appended to: members[name] would look at every one before it
    for (auto& [name, member] : value.items()) {
      changed += redact_strings(member);
      const std::string clean = redact(name);
      changed += clean != name ? 1 : 0;
      members.emplace_back(names.unique(clean), std::move(member));
    }
    value = std::move(members);
  }
  return changed;
}

}  // namespace gp::project
