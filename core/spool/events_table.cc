#include "core/spool/events_table.h"

#include <algorithm>

#include "core/base/metrics.h"
#include "spool_sql.h"

namespace gp::spool {
namespace {

constexpr std::int64_t kEvictRows = 64;
constexpr std::int64_t kMostPagesAtOnce = 1024;
constexpr std::chrono::minutes kClockSkew{1};  ///< of processes that ask for the time in turn

std::int64_t free_pages(SpoolConnection& connection) {
  return connection.database().number_of("PRAGMA freelist_count");
}

std::uint64_t changed_rows(SpoolConnection& connection) {
  return static_cast<std::uint64_t>(connection.database().changed_rows());
}

}  // namespace

std::int64_t as_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

void insert_event(SpoolConnection& connection, const CachedEvent& event, WallTime now) {
  connection.prepared(sql::kInsertEvent)
      .run({event.run_id.str(), event.id, event.type, event.data, event.committed_at_ms,
            std::int64_t{checksum_of(event)}, as_ms(now)});
  metrics::count(metrics::Counter::kSpoolEventsStored, changed_rows(connection));
}

EventRow read_event(const sqlite::Statement& row, const RunId& run_id) {
  EventRow read{{run_id, row.number(0), row.text(1), row.text(2), row.number(3)}};
  read.is_sound = row.number(4) == std::int64_t{checksum_of(read.event)};
  return read;
}

bool evict_oldest(SpoolConnection& connection, std::int64_t pages) {
  const std::int64_t enough = free_pages(connection) + pages;
  bool has_evicted = false;
  do {
    connection.prepared(sql::kEvictOldest).run({kEvictRows});
    const std::uint64_t evicted = changed_rows(connection);
    if (evicted == 0) break;
    metrics::count(metrics::Counter::kSpoolEventsEvicted, evicted);
    has_evicted = true;
  } while (free_pages(connection) < enough);
  return has_evicted;
}

bool has_older(SpoolConnection& connection, std::int64_t most, const Lifetime& lifetime) {
  sqlite::Statement& older = connection.prepared(sql::kFindOlder);
  older.bind({most, as_ms(lifetime.now - lifetime.max_age), as_ms(lifetime.now + kClockSkew)});
  return older.step() && older.number(0) != 0;
}

void evict_older(SpoolConnection& connection, std::int64_t most, const Lifetime& lifetime) {
  connection.prepared(sql::kEvictOlder)
      .run({most, as_ms(lifetime.now - lifetime.max_age), as_ms(lifetime.now + kClockSkew)});
  metrics::count(metrics::Counter::kSpoolEventsEvicted, changed_rows(connection));
}

std::int64_t pages_to_free(const SpoolConnection& connection) {
  return std::clamp(connection.max_pages() / 32, std::int64_t{1}, kMostPagesAtOnce);
}

}  // namespace gp::spool
