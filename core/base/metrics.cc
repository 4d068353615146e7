#include "core/base/metrics.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "core/base/metrics_file.h"
#include "core/base/report.h"

namespace gp::metrics {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// The handlers whose processes run the serve loop.
constexpr std::array<std::string_view, 3> kServing = {"start", "status", "health"};
constexpr std::array<std::string_view, 4> kAnswering = {"start", "status", "health", "events"};

constexpr std::array<nanoseconds, 15> kLagBounds = {500us, 1ms,   2ms, 5ms,    10ms, 25ms, 50ms, 100ms,
                                                    250ms, 500ms, 1s,  2500ms, 5s,   10s,  30s};

constexpr std::array<nanoseconds, 13> kRequestBounds = {1ms,   2500us, 5ms, 10ms,   25ms, 50ms, 100ms,
                                                        250ms, 500ms,  1s,  2500ms, 5s,   10s};

using C = Counter;

// id, name, labels, help, handlers
constexpr std::array<Row<Counter>, kCounters> kCounterRows = {{
    {C::kStreamsOpened, "streams_opened_total", "", "Streams of events that were opened."},
    {C::kStreamsRefused, "streams_refused_total", "", "Streams refused because the limit was reached."},
    {C::kEventsDelivered, "events_delivered_total", "", "Events written to streams, once for each stream."},
    {C::kEventsReplayedFromSpool, "events_replayed_total", R"(source="spool")",
     "Events beyond a stream's cursor that a catch-up read gave to it, by where they were read."},
    {C::kEventsReplayedFromPostgres, "events_replayed_total", R"(source="postgres")", ""},
    {C::kStreamBuffersDropped, "stream_buffers_dropped_total", "",
     "Buffers of slow streams given up; these streams went on from the log."},
    {C::kStreamsStalled, "streams_stalled_total", "", "Streams ended because their client read nothing."},
    {C::kDoorbellsReceived, "doorbells_received_total", "", "Runs that received notifications named."},
    {C::kDoorbellsRung, "doorbells_rung_total", "", "Runs that sent notifications named."},
    {C::kCatchUpReads, "catch_up_reads_total", "",
     "Reads of a run in the event log to catch up from a cursor."},
    {C::kListenerReconnects, "listener_reconnects_total", "",
     "Times the connection that listens for notifications was made again."},
    {C::kSpoolEventsStored, "spool_events_stored_total", "", "Confirmed events kept in the host's spool."},
    {C::kSpoolEventsEvicted, "spool_events_evicted_total", "",
     "Confirmed events removed from the spool for space or age."},
    {C::kSpoolSetAside, "spool_set_aside_total", "", "Unusable spool files set aside."},
    {C::kRunsLost, "runs_lost_total", "", "Followed runs that were ended because their worker was gone."},
    {C::kAnswers2xx, "requests_total", R"(class="2xx")", "Requests answered, by handler and class of status.",
     kAnswering},
    {C::kAnswers3xx, "requests_total", R"(class="3xx")", "", kAnswering},
    {C::kAnswers4xx, "requests_total", R"(class="4xx")", "", kAnswering},
    {C::kAnswers5xx, "requests_total", R"(class="5xx")", "", kAnswering},
    {C::kRunsTaken, "runs_taken_total", "", "Attempts of runs that a worker began."},
    {C::kRunsComplete, "runs_ended_total", R"(outcome="complete")",
     "Attempts of runs that ended, by outcome."},
    {C::kRunsFailed, "runs_ended_total", R"(outcome="error")", ""},
    {C::kRunsCancelled, "runs_ended_total", R"(outcome="cancelled")", ""},
    {C::kRunsGivenUp, "runs_given_up_total", "",
     "Attempts of runs given up because their workers died too often."},
    {C::kStartsRefused, "starts_refused_total", "",
     "Requests to start a run refused because the queue was full."},
    {C::kLlmCalls, "llm_calls_total", "", "Calls of the LLM provider that ended, however they did."},
    {C::kStepsShipped, "steps_shipped_total", "", "Steps confirmed by PostgreSQL and taken off the outbox."},
}};

constexpr std::array<Row<Gauge>, kGauges> kGaugeRows = {{
    {Gauge::kStreamsOpen, "streams_open", "", "Streams of events that are open."},
    {Gauge::kLongPollsOpen, "long_polls_open", "", "Long polls for events that wait."},
    {Gauge::kListenersConnected, "listeners_connected", "",
     "Processes that are connected to the database to hear of new events."},
    {Gauge::kSpoolFailing, "spool_failing", "",
     "Processes whose last read or last write of the host's spool failed."},
}};

constexpr std::array<Row<Histogram>, kHistograms> kHistogramRows = {{
    {.id = Histogram::kDeliveryLag,
     .name = "delivery_lag_seconds",
     .labels = "",
     .help = "Time from the commit of an event to its hand-over to a stream's socket.",
     .bounds = kLagBounds},
    {Histogram::kRequestTime, "request_seconds", "", "Time a request spent in its handler.", kServing,
     kRequestBounds},
}};

template <class Rows>
constexpr bool is_in_order(const Rows& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].id) != i) return false;
  }
  return true;
}
static_assert(is_in_order(kCounterRows) && is_in_order(kGaugeRows) && is_in_order(kHistogramRows));
static_assert(std::ranges::all_of(kHistogramRows,
                                  [](const auto& row) { return row.bounds.size() < kMaxBuckets; }));

constexpr auto kRelaxed = std::memory_order_relaxed;

/// What this process records in. Trivial to destroy, so that threads may count until the very end.
constinit Block own_block;
constinit std::atomic<Block*> current = &own_block;
UniqueFd slot_lock;  ///< held until the process ends

Block& block() noexcept { return *current.load(kRelaxed); }

template <class Id>
constexpr std::size_t at(Id id) {
  return static_cast<std::size_t>(id);
}

}  // namespace

std::span<const Row<Counter>> counters() { return kCounterRows; }
std::span<const Row<Gauge>> gauges() { return kGaugeRows; }
std::span<const Row<Histogram>> histograms() { return kHistogramRows; }

void count(Counter counter, std::uint64_t n) noexcept {
  block().counters[at(counter)].fetch_add(n, kRelaxed);
}
void count_answer(int status) noexcept {
  constexpr std::array kClasses = {Counter::kAnswers2xx, Counter::kAnswers3xx, Counter::kAnswers4xx,
                                   Counter::kAnswers5xx};
  count(kClasses[static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2)]);
}
void set(Gauge gauge, std::int64_t value) noexcept { block().gauges[at(gauge)].store(value, kRelaxed); }
void add(Gauge gauge, std::int64_t delta) noexcept { block().gauges[at(gauge)].fetch_add(delta, kRelaxed); }

void observe(Histogram histogram, nanoseconds value, std::uint64_t times) noexcept {
  value = std::max(value, nanoseconds(0));
  const auto bounds = kHistogramRows[at(histogram)].bounds;
  const auto bucket = std::ranges::lower_bound(bounds, value) - bounds.begin();
  auto& spread = block().histograms[at(histogram)];
  spread.buckets[static_cast<std::size_t>(bucket)].fetch_add(times, kRelaxed);
  spread.sum_ns.fetch_add(static_cast<std::uint64_t>(value.count()) * times, kRelaxed);
}

std::uint64_t value_of(Counter counter) noexcept { return block().counters[at(counter)].load(kRelaxed); }
std::int64_t value_of(Gauge gauge) noexcept { return block().gauges[at(gauge)].load(kRelaxed); }
std::uint64_t count_of(Histogram histogram) noexcept {
  const auto& buckets = block().histograms[at(histogram)].buckets;
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& cell) { return sum + cell.load(kRelaxed); });
}

void attach(const std::string& path) {
  OwnSlot slot = take_slot(path);
  if (slot.block == nullptr) return report::report(report::MetricsNotShared{slot.fault});
  slot_lock = std::move(slot.lock);
  current.store(slot.block, kRelaxed);
}

}  // namespace gp::metrics
