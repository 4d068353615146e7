#include "handlers/ctl/follow.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/lost_run_watch.h"
#include "core/runlog/lost_runs.h"
#include "handlers/ctl/output.h"

namespace gp::ctl {
namespace {

constexpr std::chrono::seconds kSlowTimer{2};  // a lost ring costs at most this
constexpr std::chrono::seconds kBetweenSweeps{3};
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLongestRetry{2000};
constexpr int kPage = 100;

/// "[######    ] 3 of 5"
std::string progress(int done, int total) {
  constexpr int kWidth = 20;
  const int filled = total > 0 ? std::clamp(done * kWidth / total, 0, kWidth) : 0;
  return fmt::format("[{:#<{}}{: <{}}] {} of {}", "", filled, "", kWidth - filled, done, total);
}

std::string describe(const runlog::StoredEvent& event) {
  const Json data = parse_json(event.data);
  const auto text = [&](const char* member) { return data.value(member, std::string()); };
  std::string line = fmt::format("{} {:>3} {:<18}", text("at"), event.id, event.type);
  if (event.type == "run_started")
    return line + fmt::format("attempt {}, {}", data.value("attempt", 0), text("model"));
  if (event.type == "plan_completed")
    return line + fmt::format("{} sections", data.at("plan").at("sections").size());
  if (event.type == "section_started") return line + fmt::format("{} {}", text("section_id"), text("name"));
  if (event.type == "section_completed") {
    return line + fmt::format("{} {} {}", progress(data.value("index", 0), data.value("total", 0)),
                              text("section_id"), text("name"));
  }
  if (event.type == "run_completed")
    return line + fmt::format("{} ms", data.value("duration_ms", std::int64_t{0}));
  return line + fmt::format("{}: {}", text("code"), text("message"));
}

void print(const runlog::RunTail& tail, bool as_json) {
  for (const auto& event : tail.events) {
    if (as_json) {
      fmt::print(R"({{"id":{},"event":"{}","data":{}}})"
                 "\n",
                 event.id, event.type, event.data);
    } else {
      fmt::print("{}\n", describe(event));
    }
  }
  flush_output();
}

/// One run's follower: the loop of a stream, without its many clients.
class Follower {
 public:
  Follower(const Config& config, runlog::Cursor cursor, bool as_json)
      : lost_after_(config.lost_after_s),
        reader_(config.database_listen_url),
        lost_runs_(config.database_url, config.csv_base_url),
        watch_([this](const RunId& run_id) { return lost_runs_.end(run_id, lost_after_); },
               {.outage_grace = config.lease_s + config.lost_after_s}),
        cursor_(std::move(cursor)),
        as_json_(as_json) {}

  ExitCode run() {
    Backoff backoff(kFirstRetry, kLongestRetry);
    while (true) {
      try {
        if (const auto code = turn()) return *code;
        backoff.reset();
      } catch (const Error& error) {
        if (!has_read_ || !runlog::is_away(error)) throw;
        tell_outage(error);
        std::this_thread::sleep_for(backoff.next());
      }
    }
  }

 private:
  /// Reads once and waits for more; nothing as long as the run goes on.
  std::optional<ExitCode> turn() {
    reader_.ensure_listening();  // before reading: an event committed from here on rings
    note_connection();
    const auto tail = read();
    print(tail, as_json_);
    if (!tail.events.empty()) cursor_.after = tail.events.back().id;
    if (cursor_.after < tail.last_id) return std::nullopt;
    if (tail.standing == runlog::RunTail::Standing::kEnded)
      return tail.has_failed ? ExitCode::kFailure : ExitCode::kOk;
    sweep_if_due();
    reader_.wait_for_ring(kSlowTimer, -1);
    return std::nullopt;
  }

  void note_connection() {
    if (std::exchange(connections_, reader_.connections_made()) != connections_) watch_.note_connection();
  }

  runlog::RunTail read() {
    auto tail = reader_.read(std::span(&cursor_, 1), kPage).front();
    if (std::exchange(is_away_, false)) fmt::print(stderr, "generate-project: the database is back\n");
    has_read_ = true;
    if (tail.standing == runlog::RunTail::Standing::kUnknown)
      throw Error(ErrorKind::kNotFound, "there is no such run");
    if (tail.standing == runlog::RunTail::Standing::kPruned)
      throw Error(ErrorKind::kNotFound, "the run's events are older than the retention");
    return tail;
  }

  void sweep_if_due() {
    if (steady_now() < next_sweep_) return;
    next_sweep_ = steady_now() + kBetweenSweeps;
    const SteadyTime asked = steady_now();
    watch_.end_lost(reader_.find_behind(std::span(&cursor_, 1), lost_after_), asked);
  }

  /// Once for each outage.
  void tell_outage(const Error& error) {
    if (std::exchange(is_away_, true)) return;
    fmt::print(stderr, "generate-project: {}; trying again until the database is back\n", error.what());
  }

  std::chrono::seconds lost_after_;
  runlog::EventReader reader_;
  runlog::LostRuns lost_runs_;
  runlog::LostRunWatch watch_;
  runlog::Cursor cursor_;
  bool as_json_;
  bool has_read_ = false;
  bool is_away_ = false;
  std::uint64_t connections_ = 0;
  SteadyTime next_sweep_{};
};

}  // namespace

ExitCode follow(const Config& config, runlog::Cursor cursor, bool as_json) {
  return Follower(config, std::move(cursor), as_json).run();
}

}  // namespace gp::ctl
