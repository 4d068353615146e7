#include "core/streaming/news.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <sys/eventfd.h>

#include "core/base/error.h"

namespace gp::streaming {

std::int64_t TailAnswer::end() const noexcept {
  if (!tail.events.empty()) return tail.events.back().id;
  return source == Source::kLog ? std::min(asked.after, tail.last_id) : asked.after;
}

bool TailAnswer::join(TailAnswer& next) {
  const bool reads_on = source == Source::kLog && next.source == Source::kLog && is_live == next.is_live &&
                        tail.standing == runlog::RunTail::Standing::kOpen && next.asked.after == end();
  const bool is_beyond = asked.after > end();  // only whoever is beyond the end is offered it
  if (!reads_on || is_beyond) return false;
  std::move(next.tail.events.begin(), next.tail.events.end(), std::back_inserter(tail.events));
  tail.standing = next.tail.standing;
  tail.last_id = next.tail.last_id;
  is_full = next.is_full;
  read = next.read;
  return true;
}

NewsBox::NewsBox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw Error(ErrorKind::kUnavailable, "no descriptor left for the reader threads");
}

void NewsBox::tell(std::vector<TailAnswer> answers) {
  if (answers.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    std::move(answers.begin(), answers.end(), std::back_inserter(news_.answers));
  }
  ::eventfd_write(fd_.get(), 1);
}

void NewsBox::tell_availability(bool is_log_available) {
  {
    const std::lock_guard lock(mutex_);
    news_.is_log_available = is_log_available;
  }
  ::eventfd_write(fd_.get(), 1);
}

void NewsBox::tell_end(const Error& reason) {
  {
    const std::lock_guard lock(mutex_);
    news_.end = reason;
  }
  ::eventfd_write(fd_.get(), 1);
}

News NewsBox::take() {
  eventfd_t count = 0;
  ::eventfd_read(fd_.get(), &count);
  const std::lock_guard lock(mutex_);
  News news{std::exchange(news_.answers, {}), news_.is_log_available, news_.end};
  return news;
}

}  // namespace gp::streaming
