#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/metrics.h"

/// What one process records in, as it lies in memory and in its file. For metrics*.cc only.
namespace gp::metrics {

constexpr auto kCounters = static_cast<std::size_t>(Counter::kEnd);
constexpr auto kGauges = static_cast<std::size_t>(Gauge::kEnd);
constexpr auto kHistograms = static_cast<std::size_t>(Histogram::kEnd);
constexpr std::size_t kMaxBuckets = 16;  ///< the last one in use is that of +Inf

template <class Unsigned, class Signed>
struct Cells {
  struct Spread {
    std::array<Unsigned, kMaxBuckets> buckets{};  ///< not cumulative
    Unsigned sum_ns{};
  };

  std::array<Unsigned, kCounters> counters{};
  std::array<Signed, kGauges> gauges{};
  std::array<Spread, kHistograms> histograms{};
};

/// Shared between processes: address-free because lock-free.
using Block = Cells<std::atomic<std::uint64_t>, std::atomic<std::int64_t>>;
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A plain copy to add up in.
using Totals = Cells<std::uint64_t, std::int64_t>;

}  // namespace gp::metrics
