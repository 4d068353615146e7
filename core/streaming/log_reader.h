#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/streaming/event_log.h"

namespace gp::streaming {

/// What came of one wanted cursor.
struct TailAnswer {
  runlog::Cursor asked;
  runlog::RunTail tail;
  bool is_full = false;  ///< as many events as one read gives: there may be more
};

/// What the log reader has to tell the event loop, all since the last time it was asked.
struct LogNews {
  std::vector<TailAnswer> answers;
  std::vector<RunId> rung;  ///< the doorbell named these runs
  bool must_sweep = false;  ///< rings may have been lost (a new session): every followed run wants a read
  bool is_available = true;
};

/// The thread that talks to the event log, so that the event loop never waits for a database. The loop says
/// which cursors it wants read; wants for one run are merged to the lowest cursor, and all that have gathered
/// are one query. While the log is away wants are kept and tried again with back-off. Make it after fork.
class LogReader {
 public:
  explicit LogReader(std::unique_ptr<EventLog> log);
  ~LogReader();

  /// From the event loop: read these soon.
  void want(const std::vector<runlog::Cursor>& cursors);

  /// Readable when take() has something new.
  int news_fd() const noexcept { return news_fd_.get(); }
  LogNews take();

 private:
  void run(const std::stop_token& stop);
  void turn();
  std::vector<runlog::Cursor> take_wanted();
  void put_back(const std::vector<runlog::Cursor>& cursors);
  void tell(LogNews news);

  std::unique_ptr<EventLog> log_;
  UniqueFd wake_fd_;  ///< readable: wants have come, or the thread must stop
  UniqueFd news_fd_;
  std::mutex mutex_;
  std::unordered_map<RunId, std::int64_t> wanted_;  ///< guarded by mutex_
  LogNews news_;                                    ///< guarded by mutex_
  std::uint64_t generation_ = 0;                    ///< the thread's own
  bool is_available_ = true;                        ///< the thread's own
  std::jthread thread_;                             ///< last: it uses everything above
};

}  // namespace gp::streaming
