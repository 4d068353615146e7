#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gp::project {

/// Words and phrases, English and Arabic, that neither a request nor a project may hold. Compared on word
/// boundaries after normalisation (NFKC, case folding, Arabic diacritics and tatweel removed, alef, ya and
/// ta-marbuta unified, Arabic-Indic digits mapped), so that "class", "circumference" or "Essex" are no hits.
/// Signs and digits between two letters are also read as the letters they look like ("wh1sky"); those at the
/// edge of a word are arithmetic ("53x"). Immutable after loading; safe to share between threads.
class Blocklist {
 public:
  struct Hit {
    std::string
        category;  ///< "profanity", "alcohol", "weapons" ...: safe to show; the word itself is not repeated
  };

  /// The built-in list, changed by the file at `path` (lines "word", "+word", "-word", "# comment"; empty
  /// path: none). Throws Error(kBadInput) naming the file and the line.
  static Blocklist load(const std::string& path);

  std::optional<Hit> find(std::string_view text) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;  ///< shared by copies; never changed
};

}  // namespace gp::project
