#include "core/generation/output_json.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "core/base/error.h"

namespace gp::generation {
namespace {

/// What an escape sequence stands for, and its length.
struct Escape {
  std::string meaning;
  std::size_t size = 1;
};

/// The escape at the beginning of `text`; the backslash itself where there is no sound one.
Escape escape_at(std::string_view text) {
  constexpr std::array<std::size_t, 3> kSizes = {2, 6, 12};  // \n, \u0040, a pair of surrogates
  for (const std::size_t size : kSizes) {
    if (text.size() < size) break;
    try {
      return {parse_json("\"" + std::string(text.substr(0, size)) + "\"").get<std::string>(), size};
    } catch (const Error&) {
      // none of this size
    }
  }
  return {"\\", 1};
}

std::string without_escapes(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\\', at), text.size());
    result += text.substr(at, end - at);
    at = end;
    if (at == text.size()) break;
    const Escape escape = escape_at(text.substr(at));
    result += escape.meaning;
    at += escape.size;
  }
  return result;
}

}  // namespace

Json output_json(const std::string& answer) {
  try {
    return parse_json(answer);
  } catch (const Error&) {
    return {{"text", without_escapes(answer)}};
  }
}

}  // namespace gp::generation
