#include "core/generation/wake_up.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "core/base/error.h"

namespace gp::generation {

WakeUp::WakeUp(const WorkerSlot& slot)
    : slot_(slot), ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), any_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!ended_ || !any_) throw Error(ErrorKind::kUnavailable, "no descriptors left for the worker");
  watch(slot_.stop_fd);
  watch(ended_.get());
  watch(own_wake_fd());
}

void WakeUp::watch(int fd) const {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(any_.get(), EPOLL_CTL_ADD, fd, &event);
}

int WakeUp::own_wake_fd() const { return slot_.wake_fds[static_cast<std::size_t>(slot_.slot)]; }

void WakeUp::ring() const { ::eventfd_write(ended_.get(), 1); }

void WakeUp::ring_siblings() const {
  for (const int fd : slot_.wake_fds) {
    if (fd != own_wake_fd()) ::eventfd_write(fd, 1);
  }
}

void WakeUp::clear() const {
  eventfd_t count = 0;
  ::eventfd_read(ended_.get(), &count);
  ::eventfd_read(own_wake_fd(), &count);
}

}  // namespace gp::generation
