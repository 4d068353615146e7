#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace support {

/// The processes that are children of this one; of a pool, those of its master. None where it has gone.
std::vector<pid_t> children_of(pid_t pid);

/// A program that runs beside a test or a measurement; its output goes to `log`. Ended by SIGTERM at
/// destruction, by SIGKILL where it has not gone after 5 s.
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

}  // namespace support
