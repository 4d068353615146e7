#include "core/runlog/event_reader.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

RunTail::Standing standing_of(const pg::Result& rows, int row) {
  if (rows.is_null(row, "state")) return RunTail::Standing::kUnknown;
  if (rows.flag(row, "is_pruned")) return RunTail::Standing::kPruned;
  const std::string state = rows.text(row, "state");
  return state == "complete" || state == "error" ? RunTail::Standing::kEnded : RunTail::Standing::kOpen;
}

/// Adds the run ids of a payload "uuid,uuid,..." to `runs`; what is no UUID is not ours and ignored.
void add_runs(const std::string& payload, std::unordered_set<RunId>& runs) {
  for (std::size_t at = 0; at <= payload.size();) {
    const std::size_t comma = std::min(payload.find(',', at), payload.size());
    if (auto run_id = parse_run_id(std::string_view(payload).substr(at, comma - at)))
      runs.insert(std::move(*run_id));
    at = comma + 1;
  }
}

/// Cursors as the two parallel arrays that the statements take.
struct CursorArrays {
  pg::Param runs;
  pg::Param after;
};

CursorArrays as_arrays(std::span<const Cursor> cursors) {
  std::vector<std::string> runs;
  std::vector<std::string> after;
  for (const Cursor& cursor : cursors) {
    runs.push_back(cursor.run_id.str());
    after.push_back(std::to_string(cursor.after));
  }
  return {pg::Param::array(runs), pg::Param::array(after)};
}

}  // namespace

struct EventReader::Impl {
  explicit Impl(Secret url)
      : sessions(std::move(url), "generate-project events", fitting_session(kReadPatience)) {}

  template <class Work>
  auto with_session(const Work& work) {
    try {
      if (sessions.ensure()) {
        ++connections;
        // The plans are index look-ups whatever the arrays hold: planning, or compiling them, anew for each
        // read would cost more than the read.
        sessions.get().run_script("SET jit = off; SET plan_cache_mode = force_generic_plan");
        sessions.get().listen(kEventsChannel);
      }
      return work(sessions.get());
    } catch (const Error&) {
      sessions.drop();
      throw;
    }
  }

  pg::SessionHolder sessions;
  std::uint64_t connections = 0;
};

EventReader::EventReader(Secret listen_url) : impl_(std::make_unique<Impl>(std::move(listen_url))) {}
EventReader::~EventReader() = default;

void EventReader::ensure_listening() {
  impl_->with_session([](pg::Session&) {});
}

std::uint64_t EventReader::connections_made() const noexcept { return impl_->connections; }

std::vector<RunTail> EventReader::read(std::span<const Cursor> cursors, int limit) {
  std::vector<RunTail> tails;
  for (const Cursor& cursor : cursors) tails.push_back({.run_id = cursor.run_id, .events = {}});
  const CursorArrays wanted = as_arrays(cursors);
  const auto rows = impl_->with_session([&](pg::Session& session) {
    return session.run(sql::kReadTails, {wanted.runs, wanted.after, limit});
  });
  for (int row = 0; row < rows.size(); ++row) {
    RunTail& tail = tails.at(static_cast<std::size_t>(rows.number(row, "place") - 1));
    tail.standing = standing_of(rows, row);
    if (tail.standing == RunTail::Standing::kUnknown) continue;
    tail.last_id = rows.number(row, "last_id");
    tail.has_failed = rows.text(row, "state") == "error";
    if (rows.is_null(row, "id")) continue;
    tail.events.push_back({rows.number(row, "id"), rows.text(row, "type"), rows.text(row, "data"),
                           rows.number(row, "committed_ms")});
  }
  return tails;
}

Sweep EventReader::find_behind(std::span<const Cursor> cursors, std::chrono::seconds lost_after) {
  const CursorArrays wanted = as_arrays(cursors);
  const auto rows = impl_->with_session([&](pg::Session& session) {
    return session.run(sql::kFindBehind, {wanted.runs, wanted.after, lost_after.count()});
  });
  Sweep sweep;
  sweep.database_clock = std::chrono::milliseconds(rows.number(0, "clock_ms"));
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.is_null(row, "run_id")) continue;  // nothing is found
    RunId run_id(rows.text(row, "run_id"));
    if (rows.flag(row, "is_lost")) sweep.lost.push_back(run_id);
    if (rows.flag(row, "is_behind")) sweep.behind.push_back(std::move(run_id));
  }
  return sweep;
}

std::vector<RunId> EventReader::wait_for_ring(std::chrono::milliseconds timeout, int wake_fd) {
  const auto rings =
      impl_->with_session([&](pg::Session& session) { return session.wait(timeout, wake_fd); });
  std::unordered_set<RunId> runs;
  for (const pg::Notification& ring : rings) add_runs(ring.payload, runs);
  return {runs.begin(), runs.end()};
}

}  // namespace gp::runlog
