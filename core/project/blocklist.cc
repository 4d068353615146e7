#include "core/project/blocklist.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <utf8proc.h>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace gp::project {

extern const std::string_view kEnglishBlocklistText;
extern const std::string_view kArabicBlocklistText;

namespace {

constexpr std::size_t kMaxPhraseTokens = 4;
constexpr std::size_t kShortestPlural = 4;      // "guns"; below that an s is part of the word
constexpr std::size_t kShortestArabicRest = 6;  // bytes: three letters must be left after a prefix

/// Compatibility forms resolved, case folded, marks (Latin accents, Arabic diacritics, the hamza of alef) and
/// invisible characters gone.
std::string fold(std::string_view text) {
  utf8proc_uint8_t* folded = nullptr;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE |
                                     UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_STRIPMARK);
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &folded, options);
  if (size < 0) return std::string(text);  // not UTF-8: parse_json lets none in; compared as it is
  std::string result(reinterpret_cast<const char*>(folded), static_cast<std::size_t>(size));
  std::free(folded);
  return result;
}

/// Letters of Arabic that are written in more than one way, and digits of other scripts.
utf8proc_int32_t unify(utf8proc_int32_t character) {
  switch (character) {
    case 0x0671:  // alef wasla
      return 0x0627;
    case 0x0649:  // alef maksura
    case 0x06CC:  // Farsi ya
      return 0x064A;
    case 0x0629:  // ta marbuta
      return 0x0647;
    case 0x06A9:  // keheh
      return 0x0643;
    default:
      break;
  }
  if (character >= 0x0660 && character <= 0x0669) return '0' + (character - 0x0660);
  if (character >= 0x06F0 && character <= 0x06F9) return '0' + (character - 0x06F0);
  return character;
}

/// Signs that stand for letters inside a word ("wh1sky", "$lut"). 0 where the sign stands for none.
char letter_meant_by(utf8proc_int32_t character) {
  constexpr std::array<std::pair<char, char>, 9> kLookAlikes = {{{'0', 'o'},
                                                                 {'1', 'i'},
                                                                 {'3', 'e'},
                                                                 {'4', 'a'},
                                                                 {'5', 's'},
                                                                 {'7', 't'},
                                                                 {'@', 'a'},
                                                                 {'$', 's'},
                                                                 {'!', 'i'}}};
  for (const auto& [sign, letter] : kLookAlikes) {
    if (character == sign) return letter;
  }
  return 0;
}

bool is_letter(utf8proc_int32_t character) {
  const auto category = utf8proc_category(character);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(utf8proc_int32_t character) {
  const auto category = utf8proc_category(character);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

void append(std::string& text, utf8proc_int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(character, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

/// One word as written, and as meant where signs stand for letters in it (empty: the same).
struct Token {
  std::string written;
  std::string meant;
};

class Tokenizer {
 public:
  std::vector<Token> split(std::string_view text) {
    const std::string folded = fold(text);
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(folded.data());
    auto left = static_cast<utf8proc_ssize_t>(folded.size());
    while (left > 0) {
      utf8proc_int32_t character = -1;
      const auto size = std::max<utf8proc_ssize_t>(1, utf8proc_iterate(bytes, left, &character));
      bytes += size;
      left -= size;
      take(character);
    }
    end_token();
    return std::move(tokens_);
  }

 private:
  void take(utf8proc_int32_t raw) {
    constexpr utf8proc_int32_t kTatweel = 0x0640;
    if (raw == kTatweel) return;
    const auto character = raw < 0 ? ' ' : unify(raw);
    const char meant = letter_meant_by(character);
    if (is_letter(character)) {
      has_letter_ = true;
      append(token_.written, character);
      append(token_.meant, character);
    } else if (is_number(character) || meant != 0) {
      has_sign_ = has_sign_ || meant != 0;
      if (is_number(character)) append(token_.written, character);
      append(token_.meant, meant != 0 ? meant : character);
    } else if (character != '\'' && character != 0x2019) {
      end_token();
    }
  }

  void end_token() {
    if (!has_letter_ || !has_sign_) token_.meant.clear();
    if (!token_.written.empty()) tokens_.push_back(std::move(token_));
    token_ = {};
    has_letter_ = has_sign_ = false;
  }

  std::vector<Token> tokens_;
  Token token_;
  bool has_letter_ = false;
  bool has_sign_ = false;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::kBadInput, fmt::format("the blocklist file {} cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

struct Blocklist::Impl {
  struct Entry {
    std::string category;  ///< empty: allowed
  };
  std::unordered_map<std::string, Entry> entries;  ///< by folded words joined by one space

  void read(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    std::string line;
    std::string category = "custom";
    for (int number = 1; std::getline(lines, line); ++number) {
      const auto refuse = [&](std::string_view why) {
        throw Error(ErrorKind::kBadInput, fmt::format("{} line {}: {}", name, number, why));
      };
      if (!utf8::is_valid(line)) refuse("is not valid UTF-8");
      const std::string entry = utf8::trim(line);
      if (entry.empty() || entry.starts_with('#')) continue;
      if (entry.starts_with('[') && entry.ends_with(']')) {
        category = entry.substr(1, entry.size() - 2);
        continue;
      }
      const bool is_allowed = entry.starts_with('-');
      const auto words = Tokenizer().split(is_allowed || entry.starts_with('+') ? entry.substr(1) : entry);
      if (words.empty()) refuse("holds no letter or digit");
      if (words.size() > kMaxPhraseTokens) refuse(fmt::format("has more than {} words", kMaxPhraseTokens));
      std::string key;
      for (const Token& word : words) key += (key.empty() ? "" : " ") + word.written;
      entries[key] = {is_allowed ? "" : category};
    }
  }

  const Entry* look_up(const std::string& key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  /// `key`, or its last word without a plural s, or its first without an Arabic prefix.
  const Entry* find_form(const std::string& key) const {
    if (const Entry* entry = look_up(key)) return entry;
    if (key.size() >= kShortestPlural && key.ends_with('s')) {
      if (const Entry* entry = look_up(key.substr(0, key.size() - 1))) return entry;
    }
    // wa-al, fa-al, bi-al, ka-al, al, li-l, and the one-letter wa, fa, bi, li, ka
    constexpr std::array<std::string_view, 11> kPrefixes = {"وال", "فال", "بال", "كال", "ال", "لل",
                                                            "و",   "ف",   "ب",   "ل",   "ك"};
    for (const std::string_view prefix : kPrefixes) {
      if (!key.starts_with(prefix) || key.size() < prefix.size() + kShortestArabicRest) continue;
      if (const Entry* entry = look_up(key.substr(prefix.size()))) return entry;
    }
    return nullptr;
  }

  struct Match {
    const Entry* entry = nullptr;
    std::size_t words = 1;
  };

  /// The longest entry that begins at tokens[at].
  Match match_at(const std::vector<Token>& tokens, std::size_t at) const {
    Match best;
    std::string written;
    std::string meant;
    for (std::size_t words = 1; words <= kMaxPhraseTokens && at + words <= tokens.size(); ++words) {
      const Token& token = tokens[at + words - 1];
      if (words > 1) written += ' ', meant += ' ';
      written += token.written;
      meant += token.meant.empty() ? token.written : token.meant;
      const Entry* entry = find_form(written);
      if (entry == nullptr && meant != written) entry = find_form(meant);
      if (entry != nullptr) best = {entry, words};
    }
    return best;
  }
};

Blocklist Blocklist::load(const std::string& path) {
  auto impl = std::make_shared<Impl>();
  impl->read(std::string(kEnglishBlocklistText), "the built-in English blocklist");
  impl->read(std::string(kArabicBlocklistText), "the built-in Arabic blocklist");
  if (!path.empty()) impl->read(read_file(path), path);
  Blocklist blocklist;
  blocklist.impl_ = std::move(impl);
  return blocklist;
}

std::optional<Blocklist::Hit> Blocklist::find(std::string_view text) const {
  const auto tokens = Tokenizer().split(text);
  for (std::size_t at = 0; at < tokens.size();) {
    const Impl::Match match = impl_->match_at(tokens, at);
    if (match.entry != nullptr && !match.entry->category.empty()) return Hit{match.entry->category};
    at += match.entry != nullptr ? match.words : 1;
  }
  return std::nullopt;
}

}  // namespace gp::project
