#pragma once

#include <cstdint>
#include <string_view>

namespace gp::spool {

/// CRC-32 as of Ethernet and zlib (reflected polynomial 0xEDB88320). `sum` is the CRC of what came before, so
/// that texts can be added one after another. Eight bytes a step by eight tables ("slicing by 8", Kounavis
/// and Berry, 2005): Boost's goes byte by byte and took half of the time of a replay.
std::uint32_t crc32(std::string_view bytes, std::uint32_t sum = 0);

}  // namespace gp::spool
