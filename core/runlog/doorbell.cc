#include "core/runlog/doorbell.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "sql.h"

namespace gp::runlog {
namespace {

using std::chrono::milliseconds;
using Duration = SteadyTime::duration;

constexpr std::size_t kMostNames = 10000;
constexpr std::size_t kPayloadMax = 7900;  ///< bytes; NOTIFY takes 7,999
constexpr Duration kShortestRest = std::chrono::microseconds(500);
constexpr Duration kLongestRest = milliseconds(5);
constexpr Duration kRestPerName = std::chrono::microseconds(250);  ///< many names: events come quickly, and
                                                                   ///< more of them may share the next NOTIFY
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{5000};
constexpr milliseconds kPatienceAtEnd{1000};

std::string join(const std::vector<RunId>& runs) {
  std::string payload;
  for (const RunId& run_id : runs) payload += (payload.empty() ? "" : ",") + run_id.str();
  return payload;
}

}  // namespace

/// The names and what the thread does with them.
class Doorbell::Ringer {
 public:
  explicit Ringer(Secret url) : url_(std::move(url)) {}

  void add(std::span<const RunId> runs) {
    const std::lock_guard lock(mutex_);
    const bool was_quiet = names_.empty();
    for (const RunId& run_id : runs) {
      if (names_.size() < kMostNames) names_.insert(run_id);
    }
    if (was_quiet) changed_.notify_all();
  }

  void run() {
    try {
      ring_until_told_to_stop();
    } catch (const std::exception& error) {
      report::report(report::ThreadFailed{"doorbell", error.what()});
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

  void stop(milliseconds patience) {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [this] { return has_ended_; });
  }

 private:
  void ring_until_told_to_stop() {
    pg::SessionHolder sessions(url_, "generate-project doorbell");
    Backoff backoff(kFirstRetry, kLongestRetry);
    bool is_away = false;
    do {
      const auto runs = take();
      try {
        rest(notify(sessions.get(), runs));
        if (std::exchange(is_away, false)) report::report(report::DatabaseBack{"doorbell"});
        backoff.reset();
      } catch (const Error& error) {
        sessions.drop();
        add(runs);
        is_away = true;
        const auto wait = backoff.next();
        report::report(report::DatabaseLost{"doorbell", error.what(), wait});
        rest(wait);
      }
    } while (wait_for_names(is_away));
  }

  /// Returns how long to rest after it.
  static Duration notify(pg::Session& session, const std::vector<RunId>& runs) {
    if (runs.empty()) return Duration(0);
    const SteadyTime begun = steady_now();
    session.run(sql::kRing, {kEventsChannel, join(runs)});
    metrics::count(metrics::Counter::kDoorbellsRung, runs.size());
    const Duration busy = static_cast<int>(runs.size()) * kRestPerName;
    return std::clamp(std::max(2 * (steady_now() - begun), busy), kShortestRest, kLongestRest);
  }

  /// As many names as one NOTIFY takes.
  std::vector<RunId> take() {
    const std::lock_guard lock(mutex_);
    std::vector<RunId> runs;
    for (std::size_t bytes = 0; !names_.empty(); names_.erase(names_.begin())) {
      bytes += names_.begin()->str().size() + 1;
      if (bytes > kPayloadMax) break;
      runs.push_back(*names_.begin());
    }
    return runs;
  }

  void rest(Duration time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return is_stopping_; });
  }

  /// False where it is time to end: told to stop and nothing is left, or nobody is there to hear it.
  bool wait_for_names(bool is_away) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_stopping_ || !names_.empty(); });
    return !is_stopping_ || (!is_away && !names_.empty());
  }

  const Secret url_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_set<RunId> names_;  ///< guarded by mutex_, as the next two
  bool is_stopping_ = false;
  bool has_ended_ = false;
};

Doorbell::Doorbell(Secret database_url) : ringer_(std::make_shared<Ringer>(std::move(database_url))) {
  std::thread([ringer = ringer_] { ringer->run(); }).detach();
}

Doorbell::~Doorbell() { ringer_->stop(kPatienceAtEnd); }

void Doorbell::ring(std::span<const RunId> runs) noexcept {
  try {
    ringer_->add(runs);
  } catch (const std::exception&) {
    // No memory for a name: readers have a slow timer.
  }
}

}  // namespace gp::runlog
