#include "core/spool/outbox.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/spool/events_table.h"
#include "core/spool/shrinker.h"
#include "core/spool/spool_file.h"
#include "core/spool/step_row.h"
#include "spool_sql.h"

namespace gp::spool {
namespace {

/// For another thread's turn. A turn takes longer where the disk stands still, or once where somebody keeps
/// the file busy (SpoolFile).
constexpr std::chrono::milliseconds kPatience{5000};
constexpr std::chrono::milliseconds kBriefly{200};  ///< of what can as well be done some seconds later
constexpr std::chrono::seconds kBetweenShrinks{1};
constexpr int kMakeRoomTries = 8;
constexpr std::int64_t kMostEvents = 10'000;  ///< of one run; a run has some dozens

std::int64_t as_seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string read_spool_id(SpoolConnection& connection) {
  sqlite::Statement& host = connection.prepared(sql::kReadHost);
  return host.step() ? host.text(0) : std::string();
}

/// A step; nothing where it cannot be read, which is reported.
std::optional<project::Step> find_step(const sqlite::Statement& row) {
  try {
    return read_step(row);
  } catch (const Error& error) {
    report::report(report::SpoolFailed{std::string("a step of a former spool is lost: ") + error.what()});
    return std::nullopt;
  }
}

void carry_steps(SpoolConnection& former, SpoolConnection& fresh) {
  std::set<std::string> torn;  // runs. What comes after a step that is lost is of no use: ids have no gaps
  sqlite::Statement& rows = former.prepared(sql::kReadUnconfirmed);
  while (rows.step()) {
    const std::string run_id = rows.text(1);
    if (torn.contains(run_id)) continue;
    if (const auto step = find_step(rows)) {
      run_with_step(fresh.prepared(sql::kCarryStep), rows.number(0), rows.number(8), *step);
    } else {
      torn.insert(run_id);
    }
  }
}

/// What a file that is gone still held goes on in the new one: the host's identity, and its unconfirmed
/// steps as far as they can be read, under their sequences. Every process does this, and PostgreSQL
/// recognises a step that it has.
void carry_over(SpoolConnection& former, SpoolConnection& fresh) {
  sqlite::Transaction transaction(fresh.database());
  try {
    const std::string spool_id = read_spool_id(former);
    if (!spool_id.empty()) fresh.prepared(sql::kSetHost).run({spool_id});
    carry_steps(former, fresh);
  } catch (const Error& error) {
    report::report(
        report::SpoolFailed{std::string("a former spool is not readable to its end: ") + error.what()});
  }
  transaction.commit();
}

/// The event of an outbox row, as PostgreSQL has just committed it; nothing where the row is gone.
std::optional<CachedEvent> confirmed_event(SpoolConnection& connection, std::int64_t sequence, WallTime now) {
  sqlite::Statement& row = connection.prepared(sql::kReadStepEvent);
  row.bind({sequence});
  if (!row.step()) return std::nullopt;
  CachedEvent event{RunId(row.text(0)), row.number(1), row.text(2), row.text(3), as_ms(now)};
  row.rewind();
  return event;
}

}  // namespace

struct Outbox::Impl {
  Impl(const std::string& path, int slot_given, std::int64_t max_bytes)
      : slot(slot_given),
        file(path, {.is_durable = true, .max_bytes = max_bytes}, carry_over),
        shrinker(file, max_bytes) {}

  void shrink_if_due() {
    if (steady_now() < next_shrink) return;
    next_shrink = steady_now() + kBetweenShrinks;
    shrinker.shrink(1);
  }

  /// True where confirmed events have given way.
  bool make_room() {
    bool has_evicted = false;
    file.write([&](SpoolConnection& connection) {
      has_evicted = evict_oldest(connection, pages_to_free(connection));
    });
    return has_evicted;
  }

  /// At the quota confirmed events go until `work` fits, or none is left.
  void write_with_room(const SpoolFile::Work& work) {
    for (int tries = 1;; ++tries) {
      try {
        return file.write(work);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kTooLarge || tries == kMakeRoomTries || !make_room()) throw;
      }
    }
  }

  /// Into the replay cache and out of the outbox. The row goes first: its pages are room for the event.
  void move_to_events(std::span<const std::int64_t> sequences) {
    const WallTime now = wall_now();
    write_with_room([&](SpoolConnection& connection) {
      for (const std::int64_t sequence : sequences) {
        const auto event = confirmed_event(connection, sequence, now);
        if (!event) continue;
        connection.prepared(sql::kRemoveEntry).run({sequence});
        insert_event(connection, *event, now);
      }
    });
  }

  void remove(std::span<const std::int64_t> sequences) {
    file.write_removal([&](SpoolConnection& connection) {
      for (const std::int64_t sequence : sequences) connection.prepared(sql::kRemoveEntry).run({sequence});
    });
  }

  const std::int64_t slot;

  std::mutex mutex;
  std::condition_variable freed;
  bool is_in_use = false;  ///< guarded by mutex; by a Turn, which alone may use what follows

  SpoolFile file;
  Shrinker shrinker;
  SteadyTime next_shrink{};
  std::string spool_id;  ///< empty: not known yet
};

/// The use of the outbox, for one thread at a time. Whoever has it may be waiting for a disk or for another
/// process; a mutex would let the others wait behind it without end.
class Outbox::Turn {
 public:
  /// Waits at most `patience`, then throws Error(kUnavailable).
  explicit Turn(Impl& impl, std::chrono::milliseconds patience = kPatience) : impl_(impl) {
    std::unique_lock lock(impl_.mutex);
    if (!impl_.freed.wait_for(lock, patience, [this] { return !impl_.is_in_use; }))
      throw Error(ErrorKind::kUnavailable, "the spool is kept busy by another thread");
    impl_.is_in_use = true;
  }
  ~Turn() {
    {
      const std::lock_guard lock(impl_.mutex);
      impl_.is_in_use = false;
    }
    impl_.freed.notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Impl& impl_;
};

Outbox::Outbox(const std::string& path, int slot, std::int64_t max_bytes)
    : impl_(std::make_unique<Impl>(path, slot, max_bytes)) {
  find_spool_id();
}

Outbox::~Outbox() = default;

std::optional<std::string> Outbox::find_spool_id() const {
  try {
    const Turn turn(*impl_);
    if (impl_->spool_id.empty()) {
      impl_->file.read([this](SpoolConnection& connection) { impl_->spool_id = read_spool_id(connection); });
    }
    return impl_->spool_id;
  } catch (const Error& error) {
    report::report(report::SpoolFailed{error.what()});
    return std::nullopt;
  }
}

void Outbox::append(const project::Step& step) {
  const Turn turn(*impl_);
  impl_->write_with_room([&](SpoolConnection& connection) {
    run_with_step(connection.prepared(sql::kAppendStep), nullptr, impl_->slot, step);
  });
}

std::vector<OutboxEntry> Outbox::pending(int limit, const Beside& beside) {
  const Turn turn(*impl_);
  std::vector<OutboxEntry> entries;
  const bool is_all = beside.runs.empty() && beside.sequences.empty();
  impl_->file.read([&](SpoolConnection& connection) {
    entries.clear();
    sqlite::Statement& rows = connection.prepared(is_all ? sql::kReadPending : sql::kReadPendingBeside);
    if (is_all) {
      rows.bind({impl_->slot, std::int64_t{limit}});
    } else {
      rows.bind({impl_->slot, std::int64_t{limit}, dump_json(beside.runs), dump_json(beside.sequences)});
    }
    while (rows.step()) entries.push_back({rows.number(0), read_step(rows)});
  });
  return entries;
}

void Outbox::confirm(std::span<const std::int64_t> sequences) {
  const Turn turn(*impl_);
  try {
    impl_->move_to_events(sequences);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kTooLarge) throw;
    impl_->remove(sequences);
  }
  impl_->shrink_if_due();
  impl_->file.maintain();
}

std::vector<CachedEvent> Outbox::confirmed(const RunId& run_id, std::int64_t after) {
  const Turn turn(*impl_);
  std::vector<CachedEvent> events;
  impl_->file.read([&](SpoolConnection& connection) {
    events.clear();
    sqlite::Statement& rows = connection.prepared(sql::kReadTail);
    rows.bind({run_id.str(), after, kMostEvents});
    while (rows.step()) {
      EventRow row = read_event(rows, run_id);
      if (!row.is_sound || row.event.id != after + 1 + static_cast<std::int64_t>(events.size())) break;
      events.push_back(std::move(row.event));
    }
  });
  return events;
}

void Outbox::forget_confirmed(const RunId& run_id) {
  const Turn turn(*impl_);
  impl_->file.write_removal(
      [&](SpoolConnection& connection) { connection.prepared(sql::kRemoveRun).run({run_id.str()}); });
}

std::vector<project::Step> Outbox::unconfirmed(const RunId& run_id, const LeaseToken& token,
                                               std::int64_t after) {
  const Turn turn(*impl_);
  std::vector<project::Step> steps;
  impl_->file.read([&](SpoolConnection& connection) {
    steps.clear();
    sqlite::Statement& rows = connection.prepared(sql::kReadStepsOfLease);
    rows.bind({run_id.str(), token.str(), after});
    while (rows.step()) {
      project::Step step = read_step(rows);
      if (step.event.id != after + 1 + static_cast<std::int64_t>(steps.size())) break;
      steps.push_back(std::move(step));
    }
  });
  return steps;
}

void Outbox::refuse(std::span<const std::int64_t> sequences, WallTime now) {
  const Turn turn(*impl_);
  try {
    impl_->write_with_room([&](SpoolConnection& connection) {
      for (const std::int64_t sequence : sequences)
        connection.prepared(sql::kRefuseEntry).run({sequence, as_seconds(now)});
    });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kTooLarge) throw;
    impl_->remove(sequences);
  }
}

void Outbox::tidy(WallTime then) {
  const Turn turn(*impl_, kBriefly);
  bool are_some = false;
  impl_->file.read([&](SpoolConnection& connection) {
    sqlite::Statement& count = connection.prepared(sql::kCountRefused);
    count.bind({as_seconds(then)});
    are_some = count.step() && count.number(0) > 0;
  });
  if (are_some) {  // else a write would wait for its turn for nothing
    impl_->file.write_removal([&](SpoolConnection& connection) {
      connection.prepared(sql::kForgetRefused).run({as_seconds(then)});
    });
  }
  impl_->file.test_writing();
}

std::vector<int> Outbox::slots() {
  const Turn turn(*impl_, kBriefly);
  std::vector<int> slots;
  impl_->file.read([&](SpoolConnection& connection) {
    slots.clear();
    sqlite::Statement& rows = connection.prepared(sql::kReadSlots);
    while (rows.step()) slots.push_back(static_cast<int>(rows.number(0)));
  });
  return slots;
}

std::int64_t Outbox::adopt(int slot) {
  const Turn turn(*impl_);
  std::int64_t newest = 0;
  const auto find_newest = [&](SpoolConnection& connection) {
    sqlite::Statement& row = connection.prepared(sql::kNewestEntry);
    row.bind({impl_->slot});
    newest = row.step() && !row.is_null(0) ? row.number(0) : 0;
    row.rewind();
  };
  if (slot == impl_->slot) {  // a former self's: they are here already, and a full disk can be read
    impl_->file.read(find_newest);
    return newest;
  }
  impl_->file.write([&](SpoolConnection& connection) {
    connection.prepared(sql::kAdoptSlot).run({impl_->slot, std::int64_t{slot}});
    find_newest(connection);
  });
  return newest;
}

}  // namespace gp::spool
