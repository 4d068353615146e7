#pragma once

#include <cstddef>

namespace gp::process {

/// Raises this process's soft limit of open descriptors (RLIMIT_NOFILE) to the hard one, which the unit file
/// or the system's administrator sets, and returns the limit in force. Where raising is forbidden (a seccomp
/// filter) the present limit stays.
std::size_t raise_descriptor_limit();

}  // namespace gp::process
