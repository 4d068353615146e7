#pragma once

#include <chrono>
#include <functional>

#include "core/base/clock.h"
#include "core/generation/lease_book.h"

namespace gp::generation {

/// One generation's own look at its lease, asked by its thread at least every second or so. Where more time
/// has passed since the last look than a lease may go without renewal, this process was asleep (stopped, or
/// its machine was): the lease may belong to somebody else although nobody has said so yet. Then it waits for
/// a fresh beat first, so that whoever asks before it writes anything writes nothing under a lost lease, and
/// pays for no call that a successor has made. Where the database is away just then it waits for it, a minute
/// at most; an outage without such a sleep keeps nobody waiting.
class LeaseWatch {
 public:
  /// The book outlives it. `ring` tells the thread that makes the beats that one is wanted.
  LeaseWatch(LeaseBook& book, LeaseBook::SharedFlags flags, std::chrono::milliseconds longest_gap,
             std::function<void()> ring);

  bool is_lost();

 private:
  LeaseBook& book_;
  LeaseBook::SharedFlags flags_;
  std::chrono::milliseconds longest_gap_;
  std::function<void()> ring_;
  SteadyTime last_look_ = steady_now();
};

}  // namespace gp::generation
