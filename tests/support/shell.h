#pragma once

#include <map>
#include <string>

namespace support {

struct Outcome {
  int exit_code = -1;
  std::string output;  ///< stdout and stderr together
};

/// Runs `command` by bash with `environment` added to this process's own, and waits for it.
Outcome run(const std::string& command, const std::map<std::string, std::string>& environment = {});

/// The same; throws std::runtime_error with the output where the command fails. Returns the output.
std::string run_or_throw(const std::string& command,
                         const std::map<std::string, std::string>& environment = {});

/// A fresh folder under /tmp, removed at destruction.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// A TCP port on the loopback that nobody listened on a moment ago.
int free_port();

std::string read_file(const std::string& path);

}  // namespace support
