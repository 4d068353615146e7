#pragma once

#include <cstdint>
#include <string>

#include "core/base/ids.h"

namespace gp::spool {

/// One confirmed event: PostgreSQL has it, and here it is again, byte for byte.
struct CachedEvent {
  RunId run_id;
  std::int64_t id = 0;               ///< 1, 2, 3 ... within the run
  std::string type;                  ///< the name, as it is streamed
  std::string data;                  ///< the JSON text, as it is streamed
  std::int64_t committed_at_ms = 0;  ///< when the log says that it was committed, ms since 1970; 0: not known
};

/// CRC-32 over every member: what a row must still add up to when it is read.
std::uint32_t checksum_of(const CachedEvent& event);

}  // namespace gp::spool
