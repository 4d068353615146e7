#include "core/streaming/log_reader.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include <sys/eventfd.h>

#include "core/base/backoff.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::streaming {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kCursorsPerRead = 500;
constexpr std::size_t kSweepParts = 12;  ///< a sweep goes in parts, so that no ring waits behind a long query
constexpr milliseconds kBetweenParts{100};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2000};

void clear(int fd) {
  eventfd_t count = 0;
  ::eventfd_read(fd, &count);
}

/// Until a stop; not until somebody wants something, who would only be one more to ask a log that is away.
void rest(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

LogReader::LogReader(std::unique_ptr<EventLog> log, NewsBox& news, LogReaderOptions options)
    : log_(std::move(log)),
      news_(news),
      options_(options),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      next_sweep_(steady_now() + options.sweep),
      lost_runs_([this](const RunId& run_id) { return log_->end_lost(run_id); },
                 {.outage_grace = options.outage_grace}) {
  if (!wake_fd_) throw Error(ErrorKind::kUnavailable, "no descriptor left for the log reader");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LogReader::~LogReader() {
  thread_.request_stop();
  ::eventfd_write(wake_fd_.get(), 1);
}

void LogReader::want(const runlog::Cursor& cursor) {
  {
    const std::lock_guard lock(mutex_);
    add_want(cursor.run_id, {cursor.after, false});
    followed_.try_emplace(cursor.run_id, cursor.after);
  }
  ::eventfd_write(wake_fd_.get(), 1);
}

/// Two wants for one run become one, from the lower cursor.
void LogReader::add_want(const RunId& run_id, Want want) {
  const auto [entry, is_new] = wanted_.try_emplace(run_id, want);
  if (is_new) return;
  entry->second.after = std::min(entry->second.after, want.after);
  entry->second.is_live = entry->second.is_live && want.is_live;
}

void LogReader::forget(const RunId& run_id) {
  const std::lock_guard lock(mutex_);
  followed_.erase(run_id);
  wanted_.erase(run_id);
}

void LogReader::run(const std::stop_token& stop) {
  Backoff backoff(kFirstRetry, kLongestRetry);
  while (!stop.stop_requested()) {
    try {
      turn();
      backoff.reset();
    } catch (const Error& error) {
      if (is_end(error)) return news_.tell_end(error);
      const auto wait = backoff.next();
      note_failure(error, wait);
      rest(wait, stop);
    }
  }
}

void LogReader::note_failure(const Error& error, milliseconds retry_in) {
  if (std::exchange(is_available_, false))
    report::report(report::DatabaseLost{"log_reader", error.what(), retry_in});
  metrics::set(metrics::Gauge::kListenersConnected, 0);
  news_.tell_availability(false);
}

/// The reader looks again for a while: perhaps somebody migrates at this moment.
bool LogReader::is_end(const Error& error) {
  if (error.kind() != ErrorKind::kSchema) {
    unfit_since_.reset();
    return false;
  }
  if (!unfit_since_) unfit_since_ = steady_now();
  return steady_now() - *unfit_since_ >= options_.schema_patience;
}

void LogReader::turn() {
  log_->ensure_listening();  // before reading: an event committed from here on rings
  note_connection();
  read_wanted();
  sweep_if_due();
  const auto rung = log_->wait_for_ring(patience(), wake_fd_.get());
  clear(wake_fd_.get());
  metrics::count(metrics::Counter::kDoorbellsReceived, rung.size());
  want_followed(rung);
}

void LogReader::note_connection() {
  const std::uint64_t former = std::exchange(connections_, log_->connections_made());
  if (former != connections_) {
    if (former != 0) metrics::count(metrics::Counter::kListenerReconnects);
    lost_runs_.note_connection();
    want_all_followed();  // rings may have been lost
  }
  unfit_since_.reset();
  metrics::set(metrics::Gauge::kListenersConnected, 1);
  if (std::exchange(is_available_, true)) return;
  report::report(report::DatabaseBack{"log_reader"});
  news_.tell_availability(true);
}

milliseconds LogReader::patience() {
  const std::lock_guard lock(mutex_);
  if (!wanted_.empty()) return milliseconds(0);
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(next_sweep_ - steady_now()));
}

// Reading
// -------------------------------------------------------------------------------------------------------------

void LogReader::read_wanted() {
  const auto reads = take_wanted();
  if (reads.empty()) return;
  std::vector<runlog::Cursor> cursors;
  cursors.reserve(reads.size());
  for (const Read& read : reads) cursors.push_back(read.cursor);
  try {
    const std::uint64_t read = ++reads_begun_;
    auto tails = log_->read(cursors, kEventsPerRead);
    metrics::count(metrics::Counter::kCatchUpReads,
                   static_cast<std::uint64_t>(std::ranges::count(reads, false, &Read::is_live)));
    std::vector<TailAnswer> answers;
    answers.reserve(reads.size());
    for (std::size_t i = 0; i < reads.size(); ++i) {
      const bool is_full = tails[i].events.size() == kEventsPerRead;
      answers.push_back(
          {cursors[i], std::move(tails[i]), TailAnswer::Source::kLog, reads[i].is_live, is_full, read});
    }
    hand_over(std::move(answers));
  } catch (const Error&) {
    put_back(reads);
    throw;
  }
}

/// A follower's cursor may be beyond the end, and it may be ahead of what was handed over to the others: what
/// is read for it leaves out what they still need.
void LogReader::note_followed(std::int64_t& newest, const TailAnswer& answer) {
  const bool reads_on = answer.asked.after <= newest;
  newest = std::min(newest, answer.tail.last_id);
  if (reads_on) newest = std::max(newest, answer.end());
}

void LogReader::hand_over(std::vector<TailAnswer> answers) {
  {
    const std::lock_guard lock(mutex_);
    for (const TailAnswer& answer : answers) {
      const auto followed = followed_.find(answer.asked.run_id);
      if (followed == followed_.end()) continue;  // everybody has gone meanwhile
      note_followed(followed->second, answer);
      if (answer.is_full) add_want(answer.asked.run_id, {answer.end(), answer.is_live});
    }
  }
  news_.tell(std::move(answers));
}

std::vector<LogReader::Read> LogReader::take_wanted() {
  const std::lock_guard lock(mutex_);
  std::vector<Read> reads;
  while (!wanted_.empty() && reads.size() < kCursorsPerRead) {
    auto entry = wanted_.extract(wanted_.begin());
    const Want want = entry.mapped();
    reads.push_back({{std::move(entry.key()), want.after}, want.is_live});
  }
  return reads;
}

void LogReader::put_back(const std::vector<Read>& reads) {
  const std::lock_guard lock(mutex_);
  for (const Read& read : reads) add_want(read.cursor.run_id, {read.cursor.after, read.is_live});
}

void LogReader::want_followed(const std::vector<RunId>& runs) {
  const std::lock_guard lock(mutex_);
  for (const RunId& run_id : runs) {
    if (const auto followed = followed_.find(run_id); followed != followed_.end())
      add_want(run_id, {followed->second, true});
  }
}

void LogReader::want_all_followed() {
  const std::lock_guard lock(mutex_);
  for (const auto& [run_id, newest] : followed_) add_want(run_id, {newest, false});
}

// Sweeping
// -------------------------------------------------------------------------------------------------------------

void LogReader::sweep_if_due() {
  if (steady_now() < next_sweep_) return;
  const auto cursors = next_to_sweep();
  next_sweep_ = steady_now() + (to_sweep_.empty() ? options_.sweep : std::min(options_.sweep, kBetweenParts));
  if (cursors.empty()) return;
  const SteadyTime asked = steady_now();
  const runlog::Sweep found = log_->find_behind(cursors);
  want_followed(found.behind);
  want_followed(lost_runs_.end_lost(found, asked));
}

/// The next part of the followed runs; when all have been looked at, the first part of all of them.
std::vector<runlog::Cursor> LogReader::next_to_sweep() {
  const std::lock_guard lock(mutex_);
  if (to_sweep_.empty()) {
    for (const auto& [run_id, newest] : followed_) to_sweep_.push_back(run_id);
    sweep_part_ = to_sweep_.size() / kSweepParts + 1;
  }
  std::vector<runlog::Cursor> cursors;
  while (!to_sweep_.empty() && cursors.size() < sweep_part_) {
    if (const auto followed = followed_.find(to_sweep_.back()); followed != followed_.end())
      cursors.push_back({followed->first, followed->second});
    to_sweep_.pop_back();
  }
  return cursors;
}

}  // namespace gp::streaming
