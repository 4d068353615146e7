#pragma once

#include <string>
#include <vector>

namespace gp::ctl {

struct ProgramOutcome {
  int exit_code = -1;  ///< 127: there is no such program; 128 + n: ended by signal n
  std::string output;  ///< stdout and stderr together

  bool is_good() const noexcept { return exit_code == 0; }
};

/// Runs a program, looked for in PATH and the sbin folders, with nothing on its stdin, and waits for it. No
/// shell is between, so no argument needs quoting.
ProgramOutcome run_program(const std::vector<std::string>& words);

/// The words as one could type them into a shell.
std::string as_shell_line(const std::vector<std::string>& words);

}  // namespace gp::ctl
