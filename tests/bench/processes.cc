#include "tests/bench/processes.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

namespace bench {
namespace {

/// "Rss:   1234 kB" as bytes; 0 for any other line.
long bytes_of(const std::string& line, const std::string& name) {
  if (!line.starts_with(name + ":")) return 0;
  return std::stol(line.substr(name.size() + 1)) * 1024;
}

}  // namespace

Memory memory_of(const std::vector<pid_t>& pids) {
  Memory memory;
  for (const pid_t pid : pids) {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
    for (std::string line; std::getline(file, line);) {
      memory.rss_bytes += bytes_of(line, "Rss");
      memory.private_dirty_bytes += bytes_of(line, "Private_Dirty");
    }
  }
  return memory;
}

double processor_seconds_of(const std::vector<pid_t>& pids) {
  double ticks = 0;
  for (const pid_t pid : pids) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string field;
    for (int number = 3; number <= 15 && fields >> field; ++number) {  // utime and stime are 14 and 15
      if (number >= 14) ticks += std::stod(field);
    }
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace bench
