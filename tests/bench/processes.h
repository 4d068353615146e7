#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

/// What processes hold in memory, added up, from /proc/<pid>/smaps_rollup.
struct Memory {
  long rss_bytes = 0;            ///< shared pages included
  long private_dirty_bytes = 0;  ///< what is theirs alone
};
Memory memory_of(const std::vector<pid_t>& pids);

/// The processor time that they have used, in seconds, from /proc/<pid>/stat.
double processor_seconds_of(const std::vector<pid_t>& pids);

}  // namespace bench
