#pragma once

#include <string>

#include "core/base/unique_fd.h"

namespace gp::process {

/// The pool's listening socket: the one that systemd passes (sd_listen_fds(3)), else a unix socket made at
/// `path` with mode 0660 and a backlog of 4,096 (nginx gets an error at once where it is full). A file that a
/// dead process left is replaced; one that somebody listens on is Error(kConflict). Non-blocking and
/// close-on-exec.
UniqueFd take_or_make_listener(const std::string& path);

}  // namespace gp::process
