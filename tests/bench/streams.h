#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "tests/bench/results.h"
#include "tests/support/crowd.h"

namespace bench {

/// Crowd::run_until, which a signal ends by an exception.
bool drive(support::Crowd& crowd, const std::function<bool()>& is_enough, std::chrono::milliseconds patience);

/// Lets the crowd open its streams: until all are open, or nothing has moved for 5 s. Returns how many are;
/// notes a fault where some are not.
std::size_t open_all(support::Crowd& crowd, Report& report);

/// Notes what the crowd found wrong.
void report_faults(const support::Crowd& crowd, Report& report);

}  // namespace bench
