#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/clock.h"
#include "tests/bench/samples.h"

namespace bench {

/// When each event of each run was committed, and when it was received, so that the lag between can be told
/// afterwards: a client may have an event before its writer has looked at the clock. Each run's commits are
/// noted by one thread, all receipts by one thread; lags() after both.
class LagBook {
 public:
  LagBook(std::size_t runs, std::size_t events_each)
      : events_each_(events_each), committed_(runs * events_each) {}

  void committed(std::size_t run, std::int64_t event_id, gp::SteadyTime time) {
    committed_.at(place(run, event_id)) = time;
  }
  void received(std::size_t run, std::int64_t event_id, gp::SteadyTime time) {
    receipts_.push_back({static_cast<std::uint32_t>(place(run, event_id)), time});
  }

  Samples lags() const {
    Samples lags;
    for (const Receipt& receipt : receipts_)
      lags.add(std::max(receipt.time - committed_.at(receipt.place), std::chrono::nanoseconds(0)));
    return lags;
  }
  std::size_t receipts() const noexcept { return receipts_.size(); }

 private:
  struct Receipt {
    std::uint32_t place;
    gp::SteadyTime time;
  };
  std::size_t place(std::size_t run, std::int64_t event_id) const {
    return run * events_each_ + static_cast<std::size_t>(event_id - 1);
  }

  std::size_t events_each_;
  std::vector<gp::SteadyTime> committed_;
  std::vector<Receipt> receipts_;
};

}  // namespace bench
