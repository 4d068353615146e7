#pragma once

#include <string>

#include <sys/types.h>

namespace gp::spool {

/// Locks byte `byte` of the open file `fd` for writing, without waiting. False where somebody else has it,
/// or it cannot be had (errno, as of fcntl(2)). The byte need not exist.
///
/// An open file description lock (F_OFD_SETLK): it belongs to the descriptor, so that two of them exclude
/// each other also within a process, and ends with it, or with a process that is killed. A child made by
/// fork shares it.
bool try_lock_byte(int fd, off_t byte);

void unlock_byte(int fd, off_t byte);

/// Whether the open file `fd` is still the one at `path`. Where it was removed, renamed or replaced its locks
/// exclude nobody who comes by the path.
bool is_still_at(int fd, const std::string& path);

}  // namespace gp::spool
