#include "core/generation/wake_up.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "core/base/error.h"

namespace gp::generation {
namespace {

// An eventfd adds up what is written to it: its lower half counts rings of the queue, its upper half rings
// about cancelled runs.
constexpr eventfd_t kQueueRing = 1;
constexpr eventfd_t kCancelRing = eventfd_t{1} << 32;

}  // namespace

WakeUp::WakeUp(const WorkerSlot& slot)
    : slot_(slot),
      own_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      rings_(::epoll_create1(EPOLL_CLOEXEC)),
      any_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!own_ || !rings_ || !any_) throw Error(ErrorKind::kUnavailable, "no descriptors left for the worker");
  watch(rings_, own_.get());
  watch(rings_, own_wake_fd());
  watch(any_, rings_.get());
  watch(any_, slot_.stop_fd);
}

void WakeUp::watch(const UniqueFd& epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
}

int WakeUp::own_wake_fd() const { return slot_.wake_fds[static_cast<std::size_t>(slot_.slot)]; }

void WakeUp::ring() const { ::eventfd_write(own_.get(), 1); }

void WakeUp::pass_on(const runlog::Rings& rings) const {
  const eventfd_t value = (rings.queue ? kQueueRing : 0) + (rings.cancels ? kCancelRing : 0);
  if (value == 0) return;
  for (const int fd : slot_.wake_fds) {
    if (fd != own_wake_fd()) ::eventfd_write(fd, value);
  }
}

runlog::Rings WakeUp::clear() const {
  eventfd_t count = 0;
  ::eventfd_read(own_.get(), &count);
  eventfd_t rings = 0;
  ::eventfd_read(own_wake_fd(), &rings);  // leaves 0 where there was none
  return {.queue = rings % kCancelRing != 0, .cancels = rings >= kCancelRing};
}

}  // namespace gp::generation
