#include "handlers/ctl/output.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace gp::ctl {

void occupy_closed_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free is given. The wrong way round: reading or writing fails.
    ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && !is_output_lost()) return;
  throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), "cannot write the output");
}

bool is_output_lost() { return std::ferror(stdout) != 0; }

}  // namespace gp::ctl
