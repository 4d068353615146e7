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

std::vector<pid_t> children_of(pid_t pid);

/// A program that runs beside the bench; its output goes to `log`. Ended by SIGTERM at destruction, by
/// SIGKILL where it has not gone after 5 s.
class Program {
 public:
  Program(const std::vector<std::string>& words, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace bench
