#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "tests/bench/lag_book.h"
#include "tests/support/crowd.h"

namespace bench {

/// Publishes message `number` (1, 2 ...) to all subscribers and returns the moment from which its way to them
/// counts.
using Publish = std::function<gp::SteadyTime(std::int64_t number)>;

struct FanOutPlan {
  int port = 0;
  std::string target;
  std::size_t streams = 0;
  std::chrono::milliseconds time{10000};
  std::optional<std::chrono::nanoseconds> period;  ///< nothing: the next one when the last one is everywhere
};

struct FanOutResult {
  std::size_t open = 0;
  double opened_per_second = 0;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  double deliveries_per_second = 0;
  Samples lags;
};

/// One message after the other to many streams of one target, for a while: one thread publishes, the caller's
/// drives the streams.
class FanOut {
 public:
  FanOut(FanOutPlan plan, Publish publish);

  /// `open` lets the crowd open its streams and returns how many are; `note_faults` sees it at the end.
  FanOutResult run(const std::function<std::size_t(support::Crowd&)>& open,
                   const std::function<void(const support::Crowd&)>& note_faults);

 private:
  void publish_all();
  bool wait_for_turn(std::int64_t published);
  void take(const support::CrowdEvent& event);

  FanOutPlan plan_;
  Publish publish_;
  LagBook book_;
  std::size_t open_ = 0;
  std::uint64_t delivered_ = 0;  ///< the crowd's thread
  gp::SteadyTime begin_;
  gp::SteadyTime last_delivery_;  ///< the crowd's thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t delivered_everywhere_ = 0;  ///< guarded by mutex_: messages that are everywhere
  std::int64_t published_ = 0;             ///< guarded by mutex_
  bool is_published_ = false;              ///< guarded by mutex_: there will be no more
};

/// The number in a message's data, whose first member is {"number": N.
std::int64_t number_in(std::string_view data);

}  // namespace bench
