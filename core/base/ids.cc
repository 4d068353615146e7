#include "core/base/ids.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>
#include <sys/random.h>

#include "core/base/error.h"

namespace gp {
namespace {

constexpr std::size_t kUuidLength = 36;
constexpr std::size_t kRequestIdMax = 64;

bool is_dash_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

bool is_request_id_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

std::string make_uuid() {
  std::array<std::uint8_t, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorKind::kBug, "getrandom did not fill 16 bytes");
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // RFC 9562 variant
  std::string text;
  text.reserve(kUuidLength);
  for (const std::uint8_t byte : bytes) {
    if (is_dash_position(text.size())) text += '-';
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

std::optional<RunId> parse_run_id(std::string_view text) {
  if (text.size() != kUuidLength) return std::nullopt;
  std::string canonical(text);
  for (std::size_t i = 0; i < canonical.size(); ++i) {
    char& c = canonical[i];
    if (is_dash_position(i)) {
      if (c != '-') return std::nullopt;
      continue;
    }
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
  }
  return RunId(std::move(canonical));
}

std::string request_id_or_new(std::string_view text) {
  const bool usable = !text.empty() && text.size() <= kRequestIdMax &&
                      std::all_of(text.begin(), text.end(), is_request_id_char);
  return usable ? std::string(text) : make_uuid();
}

}  // namespace gp
