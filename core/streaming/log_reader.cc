#include "core/streaming/log_reader.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>

#include "core/base/backoff.h"
#include "core/base/error.h"
#include "core/base/report.h"

namespace gp::streaming {
namespace {

using std::chrono::milliseconds;

constexpr int kEventsPerRead = 200;  ///< per run and query; a run has some tens of events
constexpr std::size_t kCursorsPerRead = 1000;
constexpr milliseconds kWait{1000};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2000};

void clear(int fd) {
  eventfd_t count = 0;
  ::eventfd_read(fd, &count);
}

}  // namespace

LogReader::LogReader(std::unique_ptr<EventLog> log)
    : log_(std::move(log)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      news_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_fd_ || !news_fd_) throw Error(ErrorKind::kUnavailable, "no descriptors left for the log reader");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LogReader::~LogReader() {
  thread_.request_stop();
  ::eventfd_write(wake_fd_.get(), 1);
}

void LogReader::want(const std::vector<runlog::Cursor>& cursors) {
  if (cursors.empty()) return;
  put_back(cursors);
  ::eventfd_write(wake_fd_.get(), 1);
}

void LogReader::put_back(const std::vector<runlog::Cursor>& cursors) {
  const std::lock_guard lock(mutex_);
  for (const runlog::Cursor& cursor : cursors) {
    const auto [entry, is_new] = wanted_.try_emplace(cursor.run_id, cursor.after);
    if (!is_new) entry->second = std::min(entry->second, cursor.after);
  }
}

LogNews LogReader::take() {
  clear(news_fd_.get());
  const std::lock_guard lock(mutex_);
  const bool is_available = news_.is_available;
  LogNews news = std::exchange(news_, LogNews{});
  news_.is_available = is_available;
  return news;
}

void LogReader::run(const std::stop_token& stop) {
  Backoff backoff(kFirstRetry, kLongestRetry);
  while (!stop.stop_requested()) {
    try {
      turn();
      backoff.reset();
    } catch (const Error& error) {
      const auto wait = backoff.next();
      if (std::exchange(is_available_, false))
        report::report(report::DatabaseLost{"log_reader", error.what(), wait});
      LogNews news;
      news.is_available = false;
      tell(std::move(news));
      pollfd entry{wake_fd_.get(), POLLIN, 0};
      if (!stop.stop_requested()) ::poll(&entry, 1, static_cast<int>(wait.count()));
      clear(wake_fd_.get());
    }
  }
}

void LogReader::turn() {
  log_->ensure_listening();  // before reading: an event committed from here on rings
  LogNews news;
  if (std::exchange(generation_, log_->generation()) != log_->generation()) news.must_sweep = true;
  if (!std::exchange(is_available_, true)) report::report(report::DatabaseBack{"log_reader"});

  const auto wanted = take_wanted();
  if (!wanted.empty()) {
    try {
      auto tails = log_->read(wanted, kEventsPerRead);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const bool is_full = tails[i].events.size() == kEventsPerRead;
        news.answers.push_back({wanted[i], std::move(tails[i]), is_full});
      }
    } catch (const Error&) {
      put_back(wanted);
      throw;
    }
  }
  if (!news.answers.empty() || news.must_sweep) tell(std::move(news));

  LogNews rings;
  rings.rung = log_->wait_for_ring(kWait, wake_fd_.get());
  clear(wake_fd_.get());
  if (!rings.rung.empty()) tell(std::move(rings));
}

std::vector<runlog::Cursor> LogReader::take_wanted() {
  const std::lock_guard lock(mutex_);
  std::vector<runlog::Cursor> cursors;
  while (!wanted_.empty() && cursors.size() < kCursorsPerRead) {
    auto entry = wanted_.extract(wanted_.begin());
    cursors.push_back({std::move(entry.key()), entry.mapped()});
  }
  if (!wanted_.empty()) ::eventfd_write(wake_fd_.get(), 1);
  return cursors;
}

void LogReader::tell(LogNews news) {
  const std::lock_guard lock(mutex_);
  std::move(news.answers.begin(), news.answers.end(), std::back_inserter(news_.answers));
  std::move(news.rung.begin(), news.rung.end(), std::back_inserter(news_.rung));
  news_.must_sweep = news_.must_sweep || news.must_sweep;
  news_.is_available = news.is_available;
  ::eventfd_write(news_fd_.get(), 1);
}

}  // namespace gp::streaming
