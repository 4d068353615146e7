#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>

#include "core/base/unique_fd.h"
#include "core/process/turn.h"

namespace gp::process {

/// What one child of a pool is given.
struct Child {
  int slot = 0;        ///< 0 .. processes-1; a replacement gets its predecessor's slot
  int listen_fd = -1;  ///< the pool's listening socket, non-blocking; -1 in a pool without one (worker)
  int stop_fd =
      -1;  ///< becomes readable, and stays so, when this child should finish what it does and return
  /// One eventfd(2) a slot, non-blocking, which outlives the children: any child writes to wake_fds[n] to
  /// wake the child of slot n; only that one reads it.
  std::span<const int> wake_fds;
  /// A pipe of the pool, non-blocking, which outlives the children: any child writes to line_in, at most
  /// PIPE_BUF bytes at a time; the child of slot 0 reads line_out.
  int line_in = -1;
  int line_out = -1;
  Turn* turn = nullptr;  ///< the pool's; never null in a child of run_pool()
};

struct PoolOptions {
  std::string
      name;  ///< the handler's name: "start", "worker" ...; process titles become "name: master", "name: 3"
  std::string socket_path;  ///< empty: a pool without a socket. Ignored where systemd passes one (LISTEN_FDS)
  int processes = 1;
  std::chrono::seconds drain{10};  ///< a child that still runs so long after its stop is killed
};

/// All that a child does, from fork to exit; the result is its exit code.
using ChildLife = std::function<int(const Child&)>;

/// The pre-fork master: makes or takes the socket (mode 0660), forks `processes` children that each live as
/// `prepare` says, and replaces those that die (back-off 100 ms to 10 s while one dies young). Tells systemd
/// READY, RELOADING, STOPPING and WATCHDOG, at the stop that it may take `drain` and 15 s, whatever the
/// unit's TimeoutStopSec=, and in a reload again and again that it goes on, whatever TimeoutStartSec=.
/// SIGTERM/SIGINT: stop every child, wait `drain`, kill the rest, return. SIGHUP: prepare again, then replace
/// the children one after another, never fewer than processes-1 at work. A child that returns 0 without being
/// asked (it reached MAX_REQUESTS) is replaced at once. A child whose master dies is sent SIGTERM by the
/// kernel (PR_SET_PDEATHSIG).
///
/// `prepare` reads what all children share and none changes: the files that settings name. It is called in
/// the master, at its start and at each SIGHUP. Where it throws at a SIGHUP, nobody is replaced: that is
/// reported, told systemd as STATUS, and the pool goes on with what it has. A child that is replaced for any
/// other reason lives by what was read last: a file that somebody is just writing ends nobody.
///
/// Only configuration, those files, the socket and signal set-up exist before fork: neither the caller nor
/// `prepare` may have made any thread, database or curl handle, or random state. Returns the master's exit
/// code; throws Error where the socket cannot be made, and what `prepare` throws at the start.
int run_pool(const PoolOptions& options, const std::function<ChildLife()>& prepare);

}  // namespace gp::process
