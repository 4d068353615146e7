#include "core/spool/crc32.h"

#include <array>
#include <bit>
#include <cstring>

namespace gp::spool {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[k][b]: what the byte b adds to the CRC when k more bytes follow it within the step.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xEDB88320u : 0u);
    tables[0][byte] = sum;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint32_t add_eight(std::uint32_t sum, const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  static_assert(std::endian::native == std::endian::little);
  word ^= sum;
  std::uint32_t result = 0;
  for (std::size_t k = 0; k < 8; ++k) result ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
  return result;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t sum) {
  sum = ~sum;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) sum = add_eight(sum, bytes.data());
  for (const char byte : bytes)
    sum = (sum >> 8) ^ kTables[0][(sum ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~sum;
}

}  // namespace gp::spool
