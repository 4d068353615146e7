#include "core/base/utf8.h"

#include <algorithm>
#include <cstdint>

#include <utf8proc.h>

namespace gp::utf8 {
namespace {

struct Decoded {
  std::int32_t code_point;  ///< -1 where the bytes are malformed
  std::size_t size;         ///< bytes used, at least 1
};

Decoded decode_at(std::string_view text, std::size_t at) {
  utf8proc_int32_t code_point = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
  const auto used = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
  if (used <= 0) return {-1, 1};
  return {code_point, static_cast<std::size_t>(used)};
}

bool is_space(std::int32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || (c >= 0x2000 && c <= 0x200B) || c == 0x3000;
}

bool is_forbidden(std::int32_t c, bool allow_newlines) {
  if (c == '\n' || c == '\t') return !allow_newlines;
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

}  // namespace

bool is_valid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    if (next.code_point < 0) return false;
    at += next.size;
  }
  return true;
}

std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

bool has_control(std::string_view text, bool allow_newlines) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    if (is_forbidden(next.code_point, allow_newlines)) return true;
    at += next.size;
  }
  return false;
}

std::string trim(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    if (!is_space(next.code_point)) {
      begin = std::min(begin, at);
      end = at + next.size;
    }
    at += next.size;
  }
  return begin < end ? std::string(text.substr(begin, end - begin)) : std::string();
}

std::string sanitize(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    if (next.code_point < 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(at, next.size);
    }
    at += next.size;
  }
  return out;
}

std::string truncate(std::string_view text, std::size_t max_code_points) {
  std::size_t seen = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!starts_character(text[at])) continue;
    if (seen++ == max_code_points) return std::string(text.substr(0, at)) + "...";
  }
  return std::string(text);
}

}  // namespace gp::utf8
