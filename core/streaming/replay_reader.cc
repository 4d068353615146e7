#include "core/streaming/replay_reader.h"

#include <iterator>
#include <utility>

namespace gp::streaming {
namespace {

constexpr std::size_t kAnswersAtOnce =
    50;  ///< when thousands come back at once, the first need not wait for the last
constexpr std::size_t kToStoreBytesMax = 16u << 20;  ///< about two seconds of 10,000 events/s
constexpr std::chrono::milliseconds kGather{200};    ///< one transaction takes what has come in so long
constexpr std::chrono::seconds kTrimEvery{30};

TailAnswer as_answer(const runlog::Cursor& asked, spool::CachedTail cached) {
  using Standing = runlog::RunTail::Standing;
  TailAnswer answer{asked, {}, TailAnswer::Source::kReplay, false, false};
  answer.tail.run_id = asked.run_id;
  answer.tail.standing = cached.is_complete ? Standing::kEnded : Standing::kOpen;
  answer.tail.last_id = cached.last_id;
  for (spool::CachedEvent& event : cached.events)
    answer.tail.events.push_back(
        {event.id, std::move(event.type), std::move(event.data), event.committed_at_ms});
  answer.is_full = answer.tail.events.size() == kEventsPerRead;
  return answer;
}

std::size_t bytes_of(const std::vector<spool::CachedEvent>& events) {
  std::size_t bytes = 0;
  for (const spool::CachedEvent& event : events) bytes += event.data.size() + sizeof event;
  return bytes;
}

}  // namespace

ReplayReader::ReplayReader(std::unique_ptr<ReplayStore> store, NewsBox& news)
    : store_(std::move(store)), news_(news), next_store_(steady_now()), next_trim_(steady_now()) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ReplayReader::~ReplayReader() { finish(); }

void ReplayReader::finish() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void ReplayReader::want(const runlog::Cursor& cursor) {
  {
    const std::lock_guard lock(mutex_);
    wants_.push_back(cursor);
  }
  changed_.notify_one();
}

void ReplayReader::keep(std::vector<spool::CachedEvent> events) {
  const std::size_t bytes = bytes_of(events);
  const std::lock_guard lock(mutex_);
  if (to_store_bytes_ + bytes > kToStoreBytesMax) return;
  to_store_bytes_ += bytes;
  std::move(events.begin(), events.end(), std::back_inserter(to_store_));
}

void ReplayReader::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<runlog::Cursor> wants;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, kGather, [this] { return !wants_.empty(); });
      wants = std::exchange(wants_, {});
    }
    answer(wants, stop);
    store_if_due(false);
  }
  store_if_due(true);
}

void ReplayReader::answer(const std::vector<runlog::Cursor>& wants, const std::stop_token& stop) {
  std::vector<TailAnswer> answers;
  for (const runlog::Cursor& cursor : wants) {
    if (stop.stop_requested()) return;
    answers.push_back(as_answer(cursor, store_->find(cursor.run_id, cursor.after, kEventsPerRead)));
    if (answers.size() == kAnswersAtOnce) news_.tell(std::exchange(answers, {}));
  }
  news_.tell(std::move(answers));
}

void ReplayReader::store_if_due(bool is_stopping) {
  if (!is_stopping && steady_now() < next_store_) return;
  next_store_ = steady_now() + kGather;
  std::vector<spool::CachedEvent> events;
  {
    const std::lock_guard lock(mutex_);
    events = std::exchange(to_store_, {});
    to_store_bytes_ = 0;
  }
  if (!events.empty()) store_->store(events);
  if (steady_now() < next_trim_) return;
  next_trim_ = steady_now() + kTrimEvery;
  store_->trim();
}

}  // namespace gp::streaming
