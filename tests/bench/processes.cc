#include "tests/bench/processes.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"

namespace bench {
namespace {

/// "Rss:   1234 kB" as bytes; 0 for any other line.
long bytes_of(const std::string& line, const std::string& name) {
  if (!line.starts_with(name + ":")) return 0;
  return std::stol(line.substr(name.size() + 1)) * 1024;
}

bool has_ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; }

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

std::vector<pid_t> children_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

Program::Program(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  const int fault = ::posix_spawnp(&pid_, arguments.front(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (fault != 0) throw std::runtime_error("cannot run " + words.front());
}

Program::~Program() {
  ::kill(pid_, SIGTERM);
  const auto deadline = gp::steady_now() + std::chrono::seconds(5);
  while (!has_ended(pid_)) {
    if (gp::steady_now() > deadline) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace bench
