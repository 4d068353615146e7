#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "core/base/clock.h"

namespace gp::runlog {

/// Notices that the database's clock has jumped ahead. Leases end by that clock: after a jump (a machine that
/// goes on after a pause, a clock that is set) all of them seem to have ended although their owners live and
/// have had no time to renew. So a jump is as an outage to whoever judges leases.
///
/// What does not jump is this process's steady clock. Under Linux it is CLOCK_MONOTONIC, which stands still
/// while the machine is suspended; so on a machine that has the database as well a resume looks like a jump
/// of the database's clock. That is meant: its owners could not renew either. A jump back makes leases longer
/// and is none. One thread.
class ClockWatch {
 public:
  /// Between two looks the database's clock may gain up to `tolerance` on ours.
  explicit ClockWatch(std::chrono::milliseconds tolerance) : tolerance_(tolerance) {}

  /// Has it jumped since the last look? `database_clock` (since 1970) is what the database answered, `asked`
  /// when it was asked: an answer that came that late looks like a jump too, the database having stood still.
  /// The first look has nothing to compare with.
  bool has_jumped(std::chrono::milliseconds database_clock, SteadyTime asked) {
    const auto ahead = database_clock - asked.time_since_epoch();
    const auto former = std::exchange(ahead_, ahead);
    return former && ahead - *former > tolerance_;
  }

 private:
  std::chrono::milliseconds tolerance_;
  std::optional<SteadyTime::duration> ahead_;  ///< the database's clock minus ours, at the last look
};

}  // namespace gp::runlog
