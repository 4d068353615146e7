#include "core/process/pool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/exit_code.h"
#include "core/base/report.h"
#include "core/process/listen.h"

namespace gp::process {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRestart{100};
constexpr milliseconds kLongestRestart{10000};
constexpr std::chrono::seconds kYoung{10};       ///< a child that dies younger raises the back-off
constexpr std::chrono::seconds kLongestRest{5};  ///< systemd's watchdog wants to hear from the master
constexpr std::chrono::seconds kAfterDrain{15};  ///< what killing and burying the late may take

sigset_t master_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

std::string describe_end(int status) {
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                             : fmt::format("exit {}", WEXITSTATUS(status));
}

ExitCode exit_code_of_child(const Error& error) {
  const bool is_lasting = error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kSchema;
  return is_lasting ? ExitCode::kConfig : ExitCode::kSoftware;
}

/// What a slot's child is doing.
struct Slot {
  pid_t pid = 0;  ///< 0: none, restart_at says when there will be one
  SteadyTime born;
  SteadyTime restart_at;
  bool is_asked_to_stop = false;
  SteadyTime kill_at = SteadyTime::max();
};

class Master {
 public:
  Master(const PoolOptions& options, const std::function<ChildLife()>& prepare)
      : options_(options),
        prepare_(prepare),
        live_(prepare()),
        listener_(options.socket_path.empty() ? UniqueFd() : take_or_make_listener(options.socket_path)),
        backoff_(kFirstRestart, kLongestRestart),
        slots_(static_cast<std::size_t>(options.processes)) {
    make_wake_fds();
    make_line();
    const sigset_t set = master_signals();
    sigprocmask(SIG_BLOCK, &set, &former_mask_);
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw Error(ErrorKind::kUnavailable, "cannot make a signalfd");
  }

  int run() {
    report::report(report::MasterStarted{options_.name, options_.processes});
    for (std::size_t i = 0; i < slots_.size(); ++i) fork_child(i);
    sd_notify(0, "READY=1");
    while (!is_stopping_ || has_children()) {
      wait_for_signal();
      kill_the_late();
      if (!is_stopping_) start_the_due();
      tell_systemd_of_the_turn();
    }
    return exit_code_;
  }

 private:
  void make_wake_fds() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      wakers_.emplace_back(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (!wakers_.back()) throw Error(ErrorKind::kUnavailable, "cannot make an eventfd");
      wake_fds_.push_back(wakers_.back().get());
    }
  }

  void make_line() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
      throw Error(ErrorKind::kUnavailable, "cannot make a pipe");
    line_out_.reset(ends[0]);
    line_in_.reset(ends[1]);
  }

  // Children
  // --------------------------------------------------------------------------------------------------------

  void fork_child(std::size_t index) {
    const pid_t master = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
      const std::string reason = std::strerror(errno);
      const milliseconds wait = backoff_.next();
      report::report(report::ForkFailed{options_.name, reason, wait});
      slots_[index].restart_at = steady_now() + wait;
      return;
    }
    if (pid == 0) ::_exit(run_child(index, master));
    slots_[index] = Slot{pid, steady_now(), {}, false, SteadyTime::max()};
  }

  /// In the child. It inherits nothing of the master's but the listening socket, the wake descriptors, the
  /// line, the turn and the standard streams.
  int run_child(std::size_t index, pid_t master) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != master) return to_int(ExitCode::kOk);  // the master died before the line above
    report::set_process_name(fmt::format("{}[{}]", options_.name, index));
    ::prctl(PR_SET_NAME, fmt::format("gp-{}:{}", options_.name, index).c_str());
    ::unsetenv("NOTIFY_SOCKET");

    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigset_t mask = former_mask_;
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_SETMASK, &mask, nullptr);  // SIGTERM stays blocked: it is read from a descriptor
    std::signal(SIGINT,
                SIG_IGN);  // Ctrl-C reaches the whole foreground group; the master passes it on in order
    std::signal(SIGHUP, SIG_IGN);
    signals_.reset(::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
    try {
      return live_(Child{static_cast<int>(index), listener_.get(), signals_.get(), wake_fds_, line_in_.get(),
                         line_out_.get(), &turn_});
    } catch (const Error& error) {
      report::report(report::ChildFailed{std::string(name_of(error.kind())), error.what()});
      return to_int(exit_code_of_child(error));
    } catch (const std::exception& error) {
      report::report(report::ChildFailed{"bug", error.what()});
      return to_int(ExitCode::kSoftware);
    }
  }

  bool has_children() const {
    return std::ranges::any_of(slots_, [](const Slot& slot) { return slot.pid != 0; });
  }

  void ask_to_stop(Slot& slot) {
    if (slot.pid == 0 || slot.is_asked_to_stop) return;
    slot.is_asked_to_stop = true;
    slot.kill_at = steady_now() + options_.drain;
    ::kill(slot.pid, SIGTERM);
  }

  void start_the_due() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].pid == 0 && slots_[i].restart_at <= steady_now()) fork_child(i);
    }
  }

  void kill_the_late() {
    for (Slot& slot : slots_) {
      if (slot.pid == 0 || slot.kill_at > steady_now()) continue;
      report::report(report::ChildKilled{slot.pid});
      ::kill(slot.pid, SIGKILL);
      slot.kill_at = SteadyTime::max();
    }
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto slot = std::ranges::find(slots_, pid, &Slot::pid);
      if (slot != slots_.end()) bury(*slot, status);
    }
    continue_reload();
  }

  void bury(Slot& slot, int status) {
    const bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const bool was_young = steady_now() - slot.born < kYoung;
    milliseconds wait{0};
    if (!is_good && !slot.is_asked_to_stop) {
      if (!was_young) backoff_.reset();
      wait = backoff_.next();
      report::report(report::ChildEnded{slot.pid, describe_end(status), wait});
      give_up_on_wrong_settings(status);
    }
    slot = Slot{};
    slot.restart_at = steady_now() + wait;
  }

  /// A child that finds its settings wrong, or a database of another version, will find it so again: no
  /// restart can help, and systemd should know.
  void give_up_on_wrong_settings(int status) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != to_int(ExitCode::kConfig)) return;
    exit_code_ = to_int(ExitCode::kConfig);
    stop();
  }

  // Signals
  // ---------------------------------------------------------------------------------------------------------

  milliseconds until_next_duty() const {
    SteadyTime next = steady_now() + kLongestRest;
    for (const Slot& slot : slots_) {
      if (slot.pid != 0) next = std::min(next, slot.kill_at);
      if (slot.pid == 0 && !is_stopping_) next = std::min(next, slot.restart_at);
    }
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(next - steady_now()));
  }

  void wait_for_signal() {
    pollfd entry{signals_.get(), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(until_next_duty().count()));
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (info.ssi_signo) {
        case SIGCHLD:
          reap();
          break;
        case SIGHUP:
          begin_reload();
          break;
        default:
          stop();
      }
    }
  }

  void stop() {
    if (is_stopping_) return;
    is_stopping_ = true;
    tell_systemd_of_the_stop();
    report::report(report::MasterStopping{options_.name});
    for (Slot& slot : slots_) ask_to_stop(slot);
  }

  /// TimeoutStopSec= of the unit does not know the drain, which is a setting: systemd is asked to wait so
  /// long.
  void tell_systemd_of_the_stop() const {
    const std::chrono::microseconds wait = options_.drain + kAfterDrain;
    sd_notify(0, fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", wait.count()).c_str());
  }

  /// The watchdog is content. A reload takes up to the drain for each child, and systemd bounds the whole of
  /// it by TimeoutStartSec=: it is asked for a little more at every turn. Once would not do: systemd begins
  /// to count when ExecReload= has ended, which may be after it was asked.
  void tell_systemd_of_the_turn() const {
    if (is_stopping_ || to_reload_.empty()) {
      sd_notify(0, "WATCHDOG=1");
      return;
    }
    const std::chrono::microseconds wait = kLongestRest + kAfterDrain;
    sd_notify(0, fmt::format("WATCHDOG=1\nEXTEND_TIMEOUT_USEC={}", wait.count()).c_str());
  }

  bool prepare_again() {
    try {
      live_ = prepare_();
      return true;
    } catch (const std::exception& error) {
      report::report(report::ReloadRefused{options_.name, error.what()});
      std::string line = error.what();
      std::ranges::replace(line, '\n', ' ');  // a line is an assignment of sd_notify(3)
      sd_notify(0, fmt::format("STATUS=Reload refused: {}", line).c_str());
      return false;
    }
  }

  /// Replaces the children one after another: the next one is asked when the one before has gone (its
  /// replacement is forked by start_the_due), so that at most one is missing.
  void begin_reload() {
    if (is_stopping_ || !prepare_again()) return;
    sd_notify(0, "RELOADING=1\nSTATUS=");
    report::report(report::MasterReloading{options_.name});
    to_reload_.clear();
    for (const Slot& slot : slots_) {
      if (slot.pid != 0) to_reload_.push_back(slot.pid);
    }
    if (to_reload_.empty()) sd_notify(0, "READY=1");  // all wait for their restart, and live by what was read
    continue_reload();
  }

  void continue_reload() {
    while (!to_reload_.empty()) {
      const auto slot = std::ranges::find(slots_, to_reload_.front(), &Slot::pid);
      if (slot != slots_.end()) return ask_to_stop(*slot);
      to_reload_.erase(to_reload_.begin());
      if (!is_stopping_) start_the_due();
      if (to_reload_.empty()) sd_notify(0, "READY=1");
    }
  }

  PoolOptions options_;
  const std::function<ChildLife()>& prepare_;
  ChildLife live_;
  UniqueFd listener_;
  std::vector<UniqueFd> wakers_;
  std::vector<int> wake_fds_;  ///< the same as numbers
  UniqueFd line_out_;
  UniqueFd line_in_;
  Turn turn_;
  Backoff backoff_;
  std::vector<Slot> slots_;
  std::vector<pid_t> to_reload_;
  sigset_t former_mask_{};
  UniqueFd signals_;
  bool is_stopping_ = false;
  int exit_code_ = to_int(ExitCode::kOk);
};

}  // namespace

int run_pool(const PoolOptions& options, const std::function<ChildLife()>& prepare) {
  std::signal(SIGPIPE, SIG_IGN);
  report::set_process_name(options.name + "[master]");
  ::prctl(PR_SET_NAME, fmt::format("gp-{}:master", options.name).c_str());
  Master master(options, prepare);
  return master.run();
}

}  // namespace gp::process
