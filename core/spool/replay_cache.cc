#include "core/spool/replay_cache.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/report.h"
#include "core/spool/events_table.h"
#include "core/spool/shrinker.h"
#include "core/spool/spool_file.h"
#include "spool_sql.h"

namespace gp::spool {
namespace {

constexpr std::chrono::milliseconds kPatience{500};
constexpr std::int64_t kTrimRows = 4096;
constexpr int kShrinkParts = 16;                      ///< 4 MiB each: others get their turn in between
constexpr std::string_view kFinal = "run_completed";  ///< the only event that nothing can follow

/// An answer being read, and the first damaged row that was met.
struct Reading {
  CachedTail tail;
  std::optional<std::int64_t> damaged_id;
};

/// Takes a row into the answer; false where the answer ends before it.
bool take(Reading& reading, std::int64_t after, EventRow row) {
  if (row.event.id != after + static_cast<std::int64_t>(reading.tail.events.size()) + 1) return false;
  if (!row.is_sound) {
    reading.damaged_id = row.event.id;
    return false;
  }
  reading.tail.events.push_back(std::move(row.event));
  return true;
}

/// Makes the row that `statement` goes to next the end of what is reachable, unless it is damaged.
void end_at(Reading& reading, sqlite::Statement& statement, const RunId& run_id) {
  if (!statement.step()) return;
  const EventRow row = read_event(statement, run_id);
  if (!row.is_sound) {
    reading.damaged_id = row.event.id;
    return;
  }
  reading.tail.last_id = row.event.id;
  reading.tail.is_complete = row.event.type == kFinal;
}

/// The last event before the first gap after `id`, which is there.
void look_beyond_limit(Reading& reading, SpoolConnection& connection, const RunId& run_id, std::int64_t id) {
  sqlite::Statement& reach = connection.prepared(sql::kFindReach);
  reach.bind({run_id.str(), id});
  if (!reach.step() || reach.number(0) == id) return;
  sqlite::Statement& last = connection.prepared(sql::kReadTail);
  last.bind({run_id.str(), reach.number(0) - 1, std::int64_t{1}});
  end_at(reading, last, run_id);
}

Reading read_tail(SpoolConnection& connection, const RunId& run_id, std::int64_t after, std::int64_t limit) {
  Reading reading;
  sqlite::Statement& rows = connection.prepared(sql::kReadTail);
  rows.bind({run_id.str(), after, limit});
  bool has_rows = false;
  bool is_whole = true;
  while (is_whole && rows.step()) {
    has_rows = true;
    is_whole = take(reading, after, read_event(rows, run_id));
  }
  if (!has_rows) {
    sqlite::Statement& newest = connection.prepared(sql::kReadNewest);
    newest.bind({run_id.str()});
    end_at(reading, newest, run_id);
    return reading;
  }
  if (reading.tail.events.empty()) return reading;
  const CachedEvent& last = reading.tail.events.back();
  reading.tail.last_id = last.id;
  reading.tail.is_complete = last.type == kFinal;
  if (std::ssize(reading.tail.events) == limit) look_beyond_limit(reading, connection, run_id, last.id);
  return reading;
}

}  // namespace

struct ReplayCache::Impl {
  Impl(std::string path, ReplayLimits limits_given)
      : limits(limits_given),
        file(std::move(path),
             {.is_durable = false, .max_bytes = limits.max_bytes / 4 * 3, .patience = kPatience}) {}

  /// One use of the file that may fail: it fails silently but for the first time.
  struct Use {
    std::string name;
    bool is_degraded = false;
  };

  template <class Work>
  void try_to(Use& use, const Work& work) {
    try {
      work();
      if (std::exchange(use.is_degraded, false)) report::report(report::SpoolBack{use.name});
    } catch (const std::exception& error) {
      if (!std::exchange(use.is_degraded, true))
        report::report(report::SpoolFailed{fmt::format("{}: {}", use.name, error.what())});
    }
  }

  void insert(std::span<const CachedEvent> events) {
    file.write([&](SpoolConnection& connection) {
      for (const CachedEvent& event : events) insert_event(connection, event, wall_now());
    });
  }

  void make_room() {
    file.write([](SpoolConnection& connection) { evict_oldest(connection, pages_to_free(connection)); });
  }

  void drop_run(const RunId& run_id, std::int64_t damaged_id) {
    report::report(report::SpoolRunDropped{run_id.str(), damaged_id});
    try_to(storing, [&] {
      file.write(
          [&](SpoolConnection& connection) { connection.prepared(sql::kRemoveRun).run({run_id.str()}); });
    });
  }

  void evict_older(const Lifetime& lifetime) {
    bool is_due = false;
    file.read([&](SpoolConnection& connection) { is_due = has_older(connection, kTrimRows, lifetime); });
    if (!is_due) return;
    file.write([&](SpoolConnection& connection) { spool::evict_older(connection, kTrimRows, lifetime); });
  }

  ReplayLimits limits;
  SpoolFile file;
  Shrinker shrinker{file, limits.max_bytes};
  Use finding{"replay_cache.find"};
  Use storing{"replay_cache.store"};
};

ReplayCache::ReplayCache(std::string path, ReplayLimits limits)
    : impl_(std::make_unique<Impl>(std::move(path), limits)) {}

ReplayCache::~ReplayCache() = default;

CachedTail ReplayCache::find(const RunId& run_id, std::int64_t after, int limit) {
  Reading reading;
  impl_->try_to(impl_->finding, [&] {
    impl_->file.read([&](SpoolConnection& connection) {
      reading = Reading{};
      reading = read_tail(connection, run_id, after, std::max(limit, 1));
    });
  });
  if (reading.damaged_id) impl_->drop_run(run_id, *reading.damaged_id);
  return reading.tail;
}

void ReplayCache::store(std::span<const CachedEvent> events) {
  if (events.empty()) return;
  impl_->try_to(impl_->storing, [&] {
    try {
      impl_->insert(events);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kTooLarge) throw;
      impl_->make_room();
      impl_->insert(events);
    }
  });
}

std::vector<RunId> ReplayCache::runs() {
  std::vector<RunId> found;
  impl_->try_to(impl_->finding, [&] {
    impl_->file.read([&](SpoolConnection& connection) {
      found.clear();
      sqlite::Statement& rows = connection.prepared(sql::kListRuns);
      rows.bind({});
      while (rows.step()) found.emplace_back(rows.text(0));
    });
  });
  return found;
}

bool ReplayCache::forget(std::span<const RunId> runs) {
  impl_->try_to(impl_->storing, [&] {
    impl_->file.write_removal([&](SpoolConnection& connection) {
      for (const RunId& run_id : runs) connection.prepared(sql::kRemoveRun).run({run_id.str()});
    });
  });
  return !impl_->storing.is_degraded;
}

void ReplayCache::trim(WallTime now) {
  impl_->try_to(impl_->storing, [&] {
    impl_->evict_older({now, impl_->limits.max_age});
    impl_->shrinker.shrink(kShrinkParts);
    impl_->file.maintain();
  });
}

}  // namespace gp::spool
