#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/spool/cached_event.h"
#include "core/streaming/news.h"
#include "core/streaming/replay_store.h"

namespace gp::streaming {

/// The thread that reads and fills the host's replay cache. A new stream asks here first: what this host has
/// written or served is answered without the database, and while it is away. What the log gives is kept here
/// for the next time. A thread of its own, because the log reader may wait for a database, and the event loop
/// must not wait for a disk. Make it after fork.
class ReplayReader {
 public:
  ReplayReader(std::unique_ptr<ReplayStore> store, NewsBox& news);
  ~ReplayReader();  ///< as finish()

  // From the event loop's thread:

  /// Each want is answered in the news, in order, by a TailAnswer of the source kReplay - without events
  /// where the cache has none beyond the cursor.
  void want(const runlog::Cursor& cursor);

  /// Keep these for later. Where more has gathered than the disk takes, they are left out: the log has them.
  void keep(std::vector<spool::CachedEvent> events);

  /// Stores what is still to be kept and ends the thread. Waits for both, and answers no want any more.
  void finish();

 private:
  void run(const std::stop_token& stop);
  void answer(const std::vector<runlog::Cursor>& wants, const std::stop_token& stop);
  void store_if_due(bool is_stopping);

  std::unique_ptr<ReplayStore> store_;
  NewsBox& news_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<runlog::Cursor> wants_;         ///< guarded by mutex_
  std::vector<spool::CachedEvent> to_store_;  ///< guarded by mutex_
  std::size_t to_store_bytes_ = 0;            ///< guarded by mutex_
  SteadyTime next_store_;                     ///< the thread's own, as the next one
  SteadyTime next_trim_;
  std::jthread thread_;  ///< last: it uses everything above
};

}  // namespace gp::streaming
