#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "core/base/clock.h"

namespace support {

/// When which client of a Crowd connects: newcomers at a rate, one after the other; those that come back at
/// their own time. Knows clients by their index only.
class CrowdSchedule {
 public:
  explicit CrowdSchedule(double connects_per_second);

  void add(std::size_t client);
  void come_back(std::size_t client, gp::SteadyTime time) { returns_.push({time, client}); }

  /// A client whose time has come; each call another one.
  std::optional<std::size_t> next_newcomer(gp::SteadyTime now);
  std::optional<std::size_t> next_return(gp::SteadyTime now);

  /// When the next one is due, or `latest` where that is earlier.
  gp::SteadyTime next_time(gp::SteadyTime latest) const;

 private:
  struct Return {
    gp::SteadyTime time;
    std::size_t client;
    bool operator>(const Return& other) const { return time > other.time; }
  };

  std::chrono::nanoseconds period_;
  std::queue<std::size_t> newcomers_;
  gp::SteadyTime next_newcomer_{};
  std::priority_queue<Return, std::vector<Return>, std::greater<>> returns_;
};

}  // namespace support
