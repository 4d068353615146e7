#include "core/project/blocklist.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <utf8proc.h>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace gp::project {

extern const std::string_view kEnglishBlocklistText;
extern const std::string_view kArabicBlocklistText;

namespace {

constexpr std::size_t kMaxPhraseWords = 4;
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

/// The letter that a sign or a digit is written for ("wh1sky", "a$$hole"), or 0.
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

bool is_latin_letter(utf8proc_int32_t character) { return character >= 'a' && character <= 'z'; }

bool is_part_of_word(utf8proc_int32_t character) {
  const auto category = utf8proc_category(character);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

void append(std::string& text, utf8proc_int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(character, bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

using Characters = std::vector<utf8proc_int32_t>;
using Words = std::vector<std::string>;

/// `text` as its characters are compared: folded and unified, without tatweel and apostrophes ("don't").
Characters characters_of(std::string_view text) {
  constexpr std::array<utf8proc_int32_t, 3> kSilent = {0x0640, '\'', 0x2019};
  const std::string folded = fold(text);
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(folded.data());
  auto left = static_cast<utf8proc_ssize_t>(folded.size());
  Characters characters;
  while (left > 0) {
    utf8proc_int32_t character = -1;
    const auto size = std::max<utf8proc_ssize_t>(1, utf8proc_iterate(bytes, left, &character));
    bytes += size;
    left -= size;
    if (std::ranges::find(kSilent, character) != kSilent.end()) continue;
    characters.push_back(character < 0 ? ' ' : unify(character));
  }
  return characters;
}

/// `written` with signs and digits read as letters where letters stand on both sides of them. Anywhere else
/// they are arithmetic: "53x", "$3xy$", "cell A55".
Characters as_meant(const Characters& written) {
  Characters meant = written;
  for (std::size_t at = 0; at < written.size();) {
    std::size_t end = at;
    while (end < written.size() && letter_meant_by(written[end]) != 0) ++end;
    const bool is_inside = end > at && at > 0 && end < written.size() && is_latin_letter(written[at - 1]) &&
                           is_latin_letter(written[end]);
    for (; is_inside && at < end; ++at) meant[at] = letter_meant_by(written[at]);
    at = end + 1;
  }
  return meant;
}

Words words_of(const Characters& characters) {
  Words words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (const auto character : characters) {
    if (is_part_of_word(character)) {
      append(word, character);
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

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
      const bool has_sign = is_allowed || entry.starts_with('+');
      const Words words = words_of(characters_of(has_sign ? entry.substr(1) : entry));
      if (words.empty()) refuse("holds no letter or digit");
      if (words.size() > kMaxPhraseWords) refuse(fmt::format("has more than {} words", kMaxPhraseWords));
      std::string key;
      for (const std::string& word : words) key += (key.empty() ? "" : " ") + word;
      entries[key] = {is_allowed ? "" : category};
    }
  }

  const Entry* look_up(const std::string& key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  /// `key`, or its last word without a plural s, or its first without an Arabic article or "and". The
  /// one-letter bi, li, fa and ka stay on: without them half the dictionary would be another word.
  const Entry* find_form(const std::string& key) const {
    if (const Entry* entry = look_up(key)) return entry;
    if (key.size() >= kShortestPlural && key.ends_with('s')) {
      if (const Entry* entry = look_up(key.substr(0, key.size() - 1))) return entry;
    }
    // al, wa-al, bi-al, fa-al, ka-al, wa-bi-al, li-l, wa-li-l, wa
    constexpr std::array<std::string_view, 9> kPrefixes = {"ال",   "وال", "بال", "فال", "كال",
                                                           "وبال", "لل",  "ولل", "و"};
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

  /// The longest entry that begins at words[at].
  Match match_at(const Words& words, std::size_t at) const {
    Match best;
    std::string key;
    for (std::size_t count = 1; count <= kMaxPhraseWords && at + count <= words.size(); ++count) {
      if (count > 1) key += ' ';
      key += words[at + count - 1];
      if (const Entry* entry = find_form(key)) best = {entry, count};
    }
    return best;
  }

  const Entry* find_blocked(const Words& words) const {
    for (std::size_t at = 0; at < words.size();) {
      const Match match = match_at(words, at);
      if (match.entry != nullptr && !match.entry->category.empty()) return match.entry;
      at += match.words;
    }
    return nullptr;
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
  const Characters written = characters_of(text);
  const Impl::Entry* entry = impl_->find_blocked(words_of(written));
  if (entry == nullptr) {
    if (const Characters meant = as_meant(written); meant != written)
      entry = impl_->find_blocked(words_of(meant));
  }
  if (entry == nullptr) return std::nullopt;
  return Hit{entry->category};
}

}  // namespace gp::project
