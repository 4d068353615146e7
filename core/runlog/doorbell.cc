#include "core/runlog/doorbell.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/base/unique_fd.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

using std::chrono::milliseconds;
using Duration = SteadyTime::duration;

constexpr std::size_t kMostNames = 10000;
constexpr std::size_t kPayloadMax = 7900;  ///< bytes; NOTIFY takes 7,999
constexpr Duration kShortestRest = std::chrono::microseconds(500);
constexpr Duration kLongestRest = milliseconds(3);
constexpr Duration kRestPerName = std::chrono::microseconds(250);  ///< many names: events come quickly, and
                                                                   ///< more of them may share the next NOTIFY
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{5000};
constexpr milliseconds kPatienceAtEnd{1000};

constexpr std::size_t kRunIdBytes = 36;  ///< a UUID in its canonical form, as every RunId is
/// PIPE_BUF (pipe(7)): a write of so much is taken whole or not at all, and never mixed with another.
constexpr std::size_t kNamesInOneWrite = PIPE_BUF / kRunIdBytes;

std::string join(const std::vector<RunId>& runs) {
  std::string payload;
  for (const RunId& run_id : runs) payload += (payload.empty() ? "" : ",") + run_id.str();
  return payload;
}

}  // namespace

/// The names and what the thread does with them.
class Doorbell::Ringer {
 public:
  Ringer(Secret url, int line_out)
      : url_(std::move(url)), line_out_(line_out), named_(make_eventfd()), stop_(make_eventfd()) {}

  void add(std::span<const RunId> runs) {
    const std::lock_guard lock(mutex_);
    const bool was_quiet = names_.empty();
    for (const RunId& run_id : runs) {
      if (names_.size() < kMostNames) names_.insert(run_id);
    }
    if (was_quiet) ::eventfd_write(named_.get(), 1);
  }

  void run() {
    try {
      ring_until_told_to_stop();
    } catch (const std::exception& error) {
      report::report(report::ThreadFailed{"doorbell", error.what()});
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    ended_.notify_all();
  }

  void stop(milliseconds patience) {
    ::eventfd_write(stop_.get(), 1);
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, patience, [this] { return has_ended_; });
  }

 private:
  static UniqueFd make_eventfd() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) throw Error(ErrorKind::kUnavailable, "no descriptors left for the doorbell");
    return fd;
  }

  void ring_until_told_to_stop() {
    pg::SessionHolder sessions(url_, "generate-project doorbell",
                               [](pg::Session& session) { session.give_up_after(kReadPatience); });
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

  /// What has come through the line joins the other names.
  void read_line() {
    if (line_out_ < 0) return;
    std::array<char, kRunIdBytes * 256> buffer;  // whole names: they are written whole
    for (ssize_t got = 0; (got = ::read(line_out_, buffer.data(), buffer.size())) > 0;) {
      std::vector<RunId> runs;
      for (std::size_t at = 0; at + kRunIdBytes <= static_cast<std::size_t>(got); at += kRunIdBytes)
        runs.emplace_back(std::string(buffer.data() + at, kRunIdBytes));
      add(runs);
    }
  }

  bool is_stopping() const {
    pollfd entry{stop_.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
  }

  bool has_names() {
    const std::lock_guard lock(mutex_);
    return !names_.empty();
  }

  void rest(Duration time) const {
    pollfd entry{stop_.get(), POLLIN, 0};
    const auto whole = std::chrono::duration_cast<std::chrono::nanoseconds>(time);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(whole);
    const timespec timeout{seconds.count(), (whole - seconds).count()};
    ::ppoll(&entry, 1, &timeout, nullptr);
  }

  /// False where it is time to end: told to stop and nothing is left, or nobody is there to hear it.
  bool wait_for_names(bool is_away) {
    if (!has_names()) {
      std::array<pollfd, 3> entries{
          {{stop_.get(), POLLIN, 0}, {named_.get(), POLLIN, 0}, {line_out_, POLLIN, 0}}};
      ::poll(entries.data(), entries.size(), -1);  // a descriptor of -1 is passed over
    }
    eventfd_t count = 0;
    ::eventfd_read(named_.get(), &count);
    read_line();
    return !is_stopping() || (!is_away && has_names());
  }

  const Secret url_;
  const int line_out_;
  const UniqueFd named_;  ///< readable where names_ is no longer empty
  const UniqueFd stop_;   ///< readable, and stays so, when it is time to end
  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_set<RunId> names_;  ///< guarded by mutex_, as the next one
  bool has_ended_ = false;
};

Doorbell::Doorbell(Secret database_url, int line_out)
    : ringer_(std::make_shared<Ringer>(std::move(database_url), line_out)) {
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

std::size_t DoorbellLine::ring(std::span<const RunId> runs) noexcept {
  std::array<char, kNamesInOneWrite * kRunIdBytes> buffer;
  std::size_t taken = 0;
  while (taken < runs.size()) {
    const auto part = runs.subspan(taken, std::min(runs.size() - taken, kNamesInOneWrite));
    char* end = buffer.data();
    for (const RunId& run_id : part) end = std::copy_n(run_id.str().data(), kRunIdBytes, end);
    if (::write(line_in_, buffer.data(), static_cast<std::size_t>(end - buffer.data())) < 0) break;
    taken += part.size();
  }
  return taken;
}

}  // namespace gp::runlog
