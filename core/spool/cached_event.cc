#include "core/spool/cached_event.h"

#include <string_view>

#include "core/spool/crc32.h"

namespace gp::spool {
namespace {

std::uint32_t add(std::uint32_t sum, std::int64_t number) {
  return crc32({reinterpret_cast<const char*>(&number), sizeof number}, sum);
}

/// The length first, so that a byte cannot move from one text to the next unnoticed.
std::uint32_t add(std::uint32_t sum, std::string_view text) {
  return crc32(text, add(sum, static_cast<std::int64_t>(text.size())));
}

}  // namespace

std::uint32_t checksum_of(const CachedEvent& event) {
  std::uint32_t sum = add(0, event.run_id.str());
  sum = add(sum, event.id);
  sum = add(sum, event.type);
  sum = add(sum, event.data);
  return add(sum, event.committed_at_ms);
}

}  // namespace gp::spool
