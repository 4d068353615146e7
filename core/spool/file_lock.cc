#include "core/spool/file_lock.h"

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/spool/byte_lock.h"

namespace gp::spool {
namespace {

constexpr off_t kTurn = 0;
constexpr off_t kRight = 1;
/// A transaction takes 0.1-1 ms on a good disk. Constant, since who backs off falls behind newcomers.
constexpr std::chrono::microseconds kTurnPoll{1000};
constexpr std::chrono::microseconds kRightPoll{200};  ///< only one at a time polls for it

void wait_for(int fd, off_t byte, std::chrono::microseconds poll, SteadyTime deadline) {
  while (!try_lock_byte(fd, byte)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      throw Error(ErrorKind::kUnavailable, fmt::format("cannot lock the spool: {}", std::strerror(errno)));
    if (steady_now() >= deadline)
      throw Error(ErrorKind::kUnavailable, "the spool is kept busy by another process",
                  std::string(FileLock::kBusy));
    std::this_thread::sleep_for(poll);
  }
}

}  // namespace

FileLock::FileLock(std::string path) : path_(std::move(path)) {}

void FileLock::open_side_file() {
  file_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file_)
    throw Error(ErrorKind::kUnavailable,
                fmt::format("cannot open the spool's lock '{}': {}", path_, std::strerror(errno)));
}

void FileLock::acquire(std::chrono::milliseconds patience) {
  const SteadyTime deadline = steady_now() + patience;
  // Who removes the spool, or moves it away, does so with its side files too.
  for (;;) {
    if (!file_ || !is_still_at(file_.get(), path_)) open_side_file();
    const int fd = file_.get();
    wait_for(fd, kTurn, kTurnPoll, deadline);
    try {
      wait_for(fd, kRight, kRightPoll, deadline);
    } catch (const Error&) {
      unlock_byte(fd, kTurn);
      throw;
    }
    unlock_byte(fd, kTurn);
    if (is_still_at(fd, path_)) return;
  }
}

FileLock::Hold::Hold(FileLock& lock, std::chrono::milliseconds patience) : lock_(lock) {
  if (lock_.depth_ == 0) lock_.acquire(patience);
  ++lock_.depth_;
}

FileLock::Hold::~Hold() {
  if (--lock_.depth_ == 0) unlock_byte(lock_.file_.get(), kRight);
}

}  // namespace gp::spool
