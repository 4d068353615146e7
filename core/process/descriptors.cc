#include "core/process/descriptors.h"

#include <sys/resource.h>

namespace gp::process {

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;  // what POSIX programs may rely on in practice
  rlimit raised{limit.rlim_max, limit.rlim_max};
  return static_cast<std::size_t>(::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur);
}

}  // namespace gp::process
