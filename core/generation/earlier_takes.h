#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/clock.h"
#include "core/project/event.h"

namespace gp::generation {

/// What the events of an attempt tell of its earlier takes: of workers that died on it or gave it back.
struct EarlierTakes {
  /// How many; for all that the events tell, each has made one call of the LLM.
  int count = 0;
  std::optional<WallTime> began = {};   ///< the first of them
  std::chrono::milliseconds worked{0};  ///< from each one's run_started to its last event, added up
};

/// `events`: the run's so far. The attempt's are those after the last terminal one. A take that goes on with
/// `fallback` (MODEL_FALLBACK, or empty) because the provider has no other model says run_started again.
EarlierTakes earlier_takes(std::span<const project::Event> events, std::string_view fallback);

/// How long a take may go on, of an attempt that may last `limit` (RUN_TIMEOUT_S) in all. The limit is one of
/// work: the time between two takes is nobody's work and does not count, because a run that waited through an
/// outage must not fail for it. A take always has a quarter of the limit, so that it can make a call and the
/// teacher gets the sections that are missing: an attempt of many takes may last somewhat longer.
std::chrono::milliseconds time_left(std::chrono::milliseconds limit, const EarlierTakes& earlier);

/// From the first of them to `now`; 0 without one, and where the clock was set back meanwhile.
std::chrono::milliseconds time_since(const EarlierTakes& earlier, WallTime now);

}  // namespace gp::generation
