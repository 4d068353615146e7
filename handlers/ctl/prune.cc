// prune [--dry-run]   removes what has passed RETENTION_S: the events of runs that ended longer ago, and what
// this host keeps of such runs (CSV logs, the replay cache), whichever host pruned them; and all but the
// newest two damaged spool files. A stream of a pruned run is answered with 410. Never touches a run that has
// not ended, nor the projects. Run on every host, as the timer of the package does; two at once share the
// work. What cannot be removed is told, stops nothing else, and makes the exit code 69. --dry-run changes
// nothing.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/runlog/retention.h"
#include "core/spool/replay_cache.h"
#include "core/spool/spool_inspection.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/run_logs.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};
constexpr int kRunsAtOnce = 100;  ///< some thousand events: a transaction of some tens of milliseconds
constexpr std::size_t kAskAtOnce = 500;
constexpr std::size_t kKeepSetAside = 2;

struct Options {
  bool dry_run = false;
};

class Pruning {
 public:
  Pruning(const Config& config, bool is_dry_run)
      : config_(config), is_dry_run_(is_dry_run), verb_(is_dry_run ? "would remove" : "removed") {}

  ExitCode run() {
    prune_set_aside();
    if (config_.retention_s.count() == 0) {
      fmt::print("RETENTION_S is 0: all runs are kept\n");
    } else {
      runlog::Retention retention(config_.database_url);
      prune_log(retention);
      prune_csv_logs(retention);
      prune_cache(retention);
    }
    return is_all_done_ ? ExitCode::kOk : ExitCode::kUnavailable;
  }

 private:
  void prune_set_aside() {
    auto removable = spool::find_set_aside(config_.spool_path);
    removable.resize(removable.size() - std::min(kKeepSetAside, removable.size()));
    for (const std::string& each : removable) {
      if (remove_all(spool::files_of(each))) fmt::print("{} {}\n", verb_, each);
    }
  }

  /// False where any of them stays.
  template <class Paths>
  bool remove_all(const Paths& paths) {
    if (is_dry_run_) return true;
    bool is_done = true;
    for (const auto& path : paths) {
      const auto obstacle = remove_path(path);
      if (!obstacle) continue;
      tell(*obstacle);
      is_done = false;
    }
    return is_done;
  }

  void tell(const std::string& obstacle) {
    fmt::print(stderr, "generate-project: {}\n", obstacle);
    is_all_done_ = false;
  }

  void prune_log(runlog::Retention& retention) const {
    auto total = is_dry_run_ ? retention.count(config_.retention_s) : runlog::Retention::Count{};
    while (!is_dry_run_) {
      const auto pruned = retention.prune_some(config_.retention_s, kRunsAtOnce);
      if (pruned.runs.empty()) break;
      total.runs += static_cast<std::int64_t>(pruned.runs.size());
      total.events += pruned.events;
    }
    fmt::print("{} {} events of {} runs from the database\n", verb_, total.events, total.runs);
  }

  void prune_csv_logs(runlog::Retention& retention) {
    const auto logs = find_run_logs(config_.csv_log_dir);
    std::vector<RunId> runs;
    for (const RunLogs& each : logs) runs.push_back(each.run_id);
    std::unordered_map<RunId, bool> is_unknown;  // of those that have expired
    for (const auto& run : find_expired(retention, runs)) is_unknown.emplace(run.run_id, run.is_unknown);
    std::int64_t removed = 0;
    for (const RunLogs& each : logs) {
      const auto found = is_unknown.find(each.run_id);
      if (found == is_unknown.end() || (found->second && !is_old(each))) continue;
      if (remove_all(each.paths)) ++removed;
    }
    fmt::print("{} the CSV logs of {} runs\n", verb_, removed);
  }

  /// A run that the database does not know may be another database's: only its age says that it has had its
  /// time.
  bool is_old(const RunLogs& logs) const {
    return logs.newest < std::filesystem::file_time_type::clock::now() - config_.retention_s;
  }

  void prune_cache(runlog::Retention& retention) {
    std::error_code ignored;
    if (!std::filesystem::exists(config_.spool_path, ignored)) return;
    if (is_dry_run_) return foretell_cache(retention);
    spool::ReplayCache cache(config_.spool_path, {config_.spool_max_bytes, config_.spool_max_age_s});
    const auto pruned = find_pruned(retention, cache.runs());
    if (!cache.forget(pruned)) return tell("cannot remove cached events: the spool is of no use now");
    fmt::print("{} the cached events of {} runs\n", verb_, pruned.size());
  }

  /// The cache would set a damaged spool aside and begin a new one: this only looks.
  void foretell_cache(runlog::Retention& retention) {
    try {
      const auto pruned = find_pruned(retention, spool::find_cached_runs(config_.spool_path));
      fmt::print("{} the cached events of {} runs\n", verb_, pruned.size());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kConflict) throw;
      tell(fmt::format("the spool is damaged ({}); who opens it sets it aside", error.what()));
    }
  }

  /// Those of `runs` whose events the database has had and has no more, or would not have after this.
  std::vector<RunId> find_pruned(runlog::Retention& retention, const std::vector<RunId>& runs) const {
    std::vector<RunId> pruned;
    for (const auto& run : find_expired(retention, runs)) {
      if (!run.is_unknown) pruned.push_back(run.run_id);
    }
    return pruned;
  }

  /// A dry run has pruned nothing: what is due counts as well.
  std::vector<runlog::ExpiredRun> find_expired(runlog::Retention& retention,
                                               std::span<const RunId> runs) const {
    const auto due = is_dry_run_ ? std::optional(config_.retention_s) : std::nullopt;
    std::vector<runlog::ExpiredRun> expired;
    for (; !runs.empty(); runs = runs.subspan(std::min(kAskAtOnce, runs.size()))) {
      for (auto& run : retention.find_expired(runs.first(std::min(kAskAtOnce, runs.size())), due))
        expired.push_back(std::move(run));
    }
    return expired;
  }

  const Config& config_;
  bool is_dry_run_;
  const char* verb_;
  bool is_all_done_ = true;
};

ExitCode prune(const Options& options) {
  const Config config = load_as_service(kRequired);
  return Pruning(config, options.dry_run).run();
}

}  // namespace

void add_prune(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("prune", "Remove what is older than RETENTION_S");
  sub->add_flag("--dry-run", options->dry_run, "Only tell what would be removed");
  sub->callback([=, &chosen] { chosen = [=] { return prune(*options); }; });
}

}  // namespace gp::ctl
