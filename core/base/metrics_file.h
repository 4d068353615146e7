#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/metrics.h"
#include "core/base/unique_fd.h"

/// What one process records in, as it lies in memory, and the file of a slot that holds it. For metrics*.cc
/// only; everybody else includes metrics.h.
///
/// The file is a head (eight bytes that name the format, then a hash of the tables) and a Block, as the
/// machine lays them out: it never leaves its host. It is only ever replaced whole, by rename(2), and never
/// made shorter, so a process that still has the former one mapped is not disturbed. Whoever records in it
/// holds an open-file-description lock on it, which ends with the process however that ends and, unlike
/// flock(2), can be looked at without being taken.
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

/// Shared between threads and processes: address-free because lock-free.
using Block = Cells<std::atomic<std::uint64_t>, std::atomic<std::int64_t>>;
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A plain copy to add up in.
using Totals = Cells<std::uint64_t, std::int64_t>;

void add_to(Totals& totals, const Totals& more) noexcept;

/// A slot's file in the hands of the process that records in it.
struct OwnSlot {
  Block* block = nullptr;  ///< never unmapped: threads may count until the very end. nullptr: see `fault`
  UniqueFd lock;           ///< the slot is live while this is open
  std::string fault;       ///< why there is no block, as a sentence for people
};

/// Takes the file at `path`, or makes it where there is none or one of another layout. Where another process
/// still records in it (one of a former master, in its last seconds) a new file with a copy of its counters
/// takes its place, and what that process counts from then on is lost.
OwnSlot take_slot(const std::string& path);

/// A slot's file as a reader finds it.
struct SlotReading {
  std::string handler;
  bool is_live = false;
  Totals totals;  ///< gauges are 0 where the slot is not live
};

/// Every file in `folder` that is named `<handler>-<slot>` and is of this layout. Changes nothing.
std::vector<SlotReading> read_slots(const std::string& folder);

}  // namespace gp::metrics
