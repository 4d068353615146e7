#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/runlog/lost_run_watch.h"
#include "core/runlog/schema.h"
#include "core/streaming/event_log.h"
#include "core/streaming/news.h"

namespace gp::streaming {

struct LogReaderOptions {
  std::chrono::milliseconds sweep{3000};          ///< from one sweep over all followed runs to the next
  std::chrono::milliseconds outage_grace{60000};  ///< runlog::LostRunWatch's
  std::chrono::milliseconds schema_patience =
      std::chrono::seconds(runlog::kSchemaPatienceS);  ///< as runlog::await_schema
};

/// The thread that talks to the event log, so that the event loop never waits for a database.
///
/// The loop says which runs it wants read, and from where; from then on the reader follows the run: whenever
/// the doorbell names it, it reads on from the newest event it has handed over, without asking the loop. A
/// sweep over all followed runs finds what a lost ring has missed, and runs that have lost their worker.
/// Wants for one run are merged to the lowest cursor; all that have gathered are one query. So replay, live
/// delivery and recovery are the same read. While the log is away everything wanted is kept, and tried again
/// with back-off. Make it after fork.
class LogReader {
 public:
  LogReader(std::unique_ptr<EventLog> log, NewsBox& news, LogReaderOptions options = {});
  ~LogReader();

  // From the event loop's thread:

  /// Read this run soon, and follow it. The cursor may lie beyond the end.
  void want(const runlog::Cursor& cursor);
  /// Nobody here follows the run any more.
  void forget(const RunId& run_id);
  /// How many reads have begun: what a later one finds is no older than this call.
  std::uint64_t reads_begun() const noexcept { return reads_begun_; }

 private:
  struct Want {
    std::int64_t after = 0;
    bool is_live = false;
  };
  struct Read {
    runlog::Cursor cursor;
    bool is_live = false;
  };

  void run(const std::stop_token& stop);
  void note_failure(const Error& error, std::chrono::milliseconds retry_in);
  void turn();
  bool is_end(const Error& error);
  void read_wanted();
  void sweep_if_due();
  void note_connection();
  std::chrono::milliseconds patience();

  std::vector<Read> take_wanted();
  void add_want(const RunId& run_id, Want want);  ///< under the lock
  void put_back(const std::vector<Read>& reads);
  void want_followed(const std::vector<RunId>& runs);
  void want_all_followed();
  std::vector<runlog::Cursor> next_to_sweep();
  void hand_over(std::vector<TailAnswer> answers);
  static void note_followed(std::int64_t& newest, const TailAnswer& answer);

  std::unique_ptr<EventLog> log_;
  NewsBox& news_;
  LogReaderOptions options_;
  UniqueFd wake_fd_;  ///< readable: wants have come, or the thread must stop

  std::mutex mutex_;
  std::unordered_map<RunId, Want> wanted_;  ///< guarded by mutex_: to be read, from here
  /// Guarded by mutex_: the newest event handed over; before the first answer what its first follower says.
  std::unordered_map<RunId, std::int64_t> followed_;
  std::atomic<std::uint64_t> reads_begun_ = 0;

  // The thread's own:
  std::uint64_t connections_ = 0;
  bool is_available_ = true;
  std::vector<RunId> to_sweep_;
  std::size_t sweep_part_ = 1;  ///< runs looked at in one go
  SteadyTime next_sweep_;
  runlog::LostRunWatch lost_runs_;
  std::optional<SteadyTime> unfit_since_;  ///< since when the database has had another schema than it should
  std::jthread thread_;                    ///< last: it uses everything above
};

}  // namespace gp::streaming
