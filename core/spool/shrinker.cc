#include "core/spool/shrinker.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/report.h"
#include "core/spool/events_table.h"

namespace gp::spool {
namespace {

constexpr std::int64_t kPagesAtOnce = 1024;
constexpr std::int64_t kMiB = 1024 * 1024;

}  // namespace

/// In pages.
struct Shrinker::Extent {
  std::int64_t size = 0;
  std::int64_t used = 0;
  std::int64_t most = 0;  ///< that the quota allows
  std::int64_t page_bytes = 1;
  bool can_shrink = false;  ///< the file was made so

  bool is_too_large() const { return size > most; }
  bool holds_too_much() const { return used > most; }
};

Shrinker::Extent Shrinker::measure() {
  Extent extent;
  file_.read([&](SpoolConnection& connection) {
    connection.tighten_quota();  // others may have made it smaller
    sqlite::Database& database = connection.database();
    extent.size = database.number_of("PRAGMA page_count");
    extent.used = extent.size - database.number_of("PRAGMA freelist_count");
    extent.page_bytes = database.number_of("PRAGMA page_size");
    extent.most = max_bytes_ / extent.page_bytes;
    extent.can_shrink = database.number_of("PRAGMA auto_vacuum") != 0;
  });
  return extent;
}

void Shrinker::shrink(int parts) {
  try {
    for (int part = 0; part < parts && shrink_some(); ++part) {
    }
  } catch (const Error&) {
    // Who has something to write says that it fails.
  }
}

/// True where there may be more to do.
bool Shrinker::shrink_some() {
  const Extent extent = measure();
  if (!extent.is_too_large()) return false;
  if (!extent.holds_too_much() && !extent.can_shrink) {
    report_once(extent);
    return false;
  }
  bool has_evicted = false;
  file_.write([&](SpoolConnection& connection) {
    has_evicted = extent.holds_too_much() &&
                  evict_oldest(connection, std::min(extent.used - extent.most, kPagesAtOnce));
    // Ends where no page is free; does nothing to a file that cannot shrink.
    connection.database().run_script(
        fmt::format("PRAGMA incremental_vacuum({})", std::min(extent.size - extent.most, kPagesAtOnce)));
  });
  return has_evicted || measure().size < extent.size;
}

void Shrinker::report_once(const Extent& extent) {
  if (std::exchange(is_reported_, true)) return;
  report::report(report::SpoolFailed{fmt::format(
      "the spool has {} MiB, SPOOL_MAX_BYTES allows {}: its file was made by a version whose files give "
      "nothing "
      "back. Stop the service, then: sqlite3 <SPOOL_PATH> 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'",
      extent.size * extent.page_bytes / kMiB, max_bytes_ / kMiB)});
}

}  // namespace gp::spool
