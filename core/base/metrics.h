#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Everything the program can count, and the only way to count it. Names, labels and help stand once, in the
/// tables of metrics.cc, one row for each enumerator here.
///
/// Recording is a relaxed atomic addition: from any thread, without a lock, an allocation or a failure. It
/// goes to a block of memory that until attach() is this process's own, so a test or a command line need
/// nothing; from then on the block is a file that outlives the process, and GET /metrics adds up those of all
/// processes of the host.
namespace gp::metrics {

/// Only ever grows, also over the death of a process and its replacement.
enum class Counter {
  kStreamsOpened,
  kStreamsRefused,           ///< SSE_MAX_STREAMS was reached
  kEventsDelivered,          ///< one event written to one stream
  kEventsReplayedFromSpool,  ///< events beyond a cursor that a catch-up read handed to a stream
  kEventsReplayedFromPostgres,
  kStreamBuffersDropped,  ///< a slow stream's buffer was given up; it goes on from the log
  kStreamsStalled,        ///< ended because its client read nothing for SSE_STALL_S
  kDoorbellsReceived,
  kDoorbellsRung,
  kCatchUpReads,
  kListenerReconnects,
  kSpoolEventsStored,
  kSpoolEventsEvicted,
  kSpoolSetAside,
  kRunsLost,
  kAnswers2xx,  ///< by count_answer(), as the three below
  kAnswers3xx,
  kAnswers4xx,
  kAnswers5xx,
  kRunsTaken,
  kRunsComplete,
  kRunsFailed,
  kRunsCancelled,
  kRunsGivenUp,    ///< also among the failed: their workers died too often
  kStartsRefused,  ///< the queue was full
  kLlmCalls,
  kStepsShipped,
  kEnd,  ///< how many there are; so in the enums below
};

/// How many of a thing a process holds now. Those of a dead process count as 0.
enum class Gauge {
  kStreamsOpen,
  kLongPollsOpen,
  kListenersConnected,  ///< 1 in an events process that hears the doorbell
  kSpoolFailing,        ///< 1 in a process whose last use of the spool failed
  kEnd,
};

/// How durations are spread.
enum class Histogram {
  kDeliveryLag,  ///< from the commit of an event to its hand-over to the socket
  kRequestTime,  ///< a request in its handler
  kEnd,
};

void count(Counter counter, std::uint64_t n = 1) noexcept;
/// One request answered with this status.
void count_answer(int status) noexcept;
void set(Gauge gauge, std::int64_t value) noexcept;
void add(Gauge gauge, std::int64_t delta) noexcept;
/// Records `times` durations of `value`. A negative one (the clocks of two hosts) counts as 0.
void observe(Histogram histogram, std::chrono::nanoseconds value, std::uint64_t times = 1) noexcept;

/// What the block of this process holds now: after attach() that includes what its predecessors counted. For
/// tests.
std::uint64_t value_of(Counter counter) noexcept;
std::int64_t value_of(Gauge gauge) noexcept;
std::uint64_t count_of(Histogram histogram) noexcept;

/// The folder of a host's files, and the file of one slot of a handler in it.
std::string folder_in(std::string_view runtime_dir);
std::string slot_file(std::string_view runtime_dir, std::string_view handler, int slot);

/// From now on this process records in the file `path`, whose last part is `<handler>-<slot>`: its counters
/// and histograms go on where the slot's last process left them, its gauges begin at 0. The file, and the
/// folder that it is in, are made where they are missing (mode 0640 and 0750). It is locked while the process
/// lives; the lock tells a reader that the gauges are live. What was recorded before stays in the process.
///
/// Called once, in a child after fork and before it has threads. Where the file cannot be had (folder not
/// writable, disk full) that is reported and the process goes on with its own block.
void attach(const std::string& path);

/// The Prometheus text format 0.0.4 of all files in `folder` added up, with the number of live processes and
/// the version. Other files there, and files of another version of the tables, are passed over; where there
/// is no folder every value is 0. Any thread. Counters never go backwards between two calls, and a
/// histogram's count is the sum of its buckets, although processes count meanwhile.
std::string render(const std::string& folder);

/// What the live processes of one handler on this host hold now.
struct HandlerNow {
  int processes = 0;
  std::vector<std::int64_t> gauges;  ///< one for each Gauge, added up

  std::int64_t of(Gauge gauge) const { return gauges.at(static_cast<std::size_t>(gauge)); }
};

/// Reads the files in `folder`; all 0 where there are none. Any thread.
HandlerNow read_handler(const std::string& folder, std::string_view handler);

/// One time series as the tables describe it.
template <class Id>
struct Row {
  Id id;
  std::string_view name;    ///< of the family, without the prefix; rows of one family stand together
  std::string_view labels;  ///< as in the text format: `source="spool"`; or empty
  std::string_view help;    ///< empty: the row above is of the same family
  /// Not empty: one series for each of these handlers, told apart by the label `handler`, for what each of
  /// their processes counted. Empty: one for the host.
  std::span<const std::string_view> handlers = {};
  std::span<const std::chrono::nanoseconds> bounds = {};  ///< a histogram's buckets, ascending, without +Inf
};

constexpr std::string_view kPrefix = "generate_project_";

/// The tables, in the order of the enumerators.
std::span<const Row<Counter>> counters();
std::span<const Row<Gauge>> gauges();
std::span<const Row<Histogram>> histograms();

}  // namespace gp::metrics
