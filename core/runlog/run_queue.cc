#include "core/runlog/run_queue.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/clock_watch.h"
#include "core/runlog/lock_wait.h"
#include "core/runlog/project_row.h"
#include "core/runlog/run_ending.h"
#include "core/runlog/schema.h"
#include "core/runlog/stored_run.h"
#include "core/runlog/unseen_projects.h"
#include "sql.h"

namespace gp::runlog {
namespace {

/// A session that only listens hears nothing from a server process that stands still: so it is asked for
/// something now and then. The worker waits meanwhile; an answer takes no work.
constexpr std::chrono::seconds kListenPatience{3};
constexpr std::chrono::seconds kAskListener{10};

/// Leases as the two parallel arrays that the statements take.
struct LeaseArrays {
  explicit LeaseArrays(std::span<const Lease> held) {
    std::vector<std::string> run_ids;
    std::vector<std::string> lease_tokens;
    for (const Lease& lease : held) {
      run_ids.push_back(lease.run_id.str());
      lease_tokens.push_back(lease.token.str());
    }
    runs = pg::Param::array(run_ids);
    tokens = pg::Param::array(lease_tokens);
  }
  pg::Param runs = std::nullopt;
  pg::Param tokens = std::nullopt;
};

/// The claim of a row that was taken; throws what the row's content is wrong with.
Claim read_claim(pg::Session& session, const pg::Result& rows, int row, const TakenRun& run) {
  Claim claim;
  claim.lease = {run.run_id, run.token};
  claim.attempt = static_cast<int>(rows.number(row, "attempt"));
  claim.request = restore_request(run);
  if (!rows.is_null(row, "former_token")) claim.former_token = LeaseToken(rows.text(row, "former_token"));
  claim.events = read_events(session, run.run_id);
  return claim;
}

/// What the calling app's table has said during one claim(). Each wait for a lock is kLockPatience long, and
/// nobody's lease is renewed meanwhile; so who has waited once does not wait again.
struct TableMet {
  bool may_ask = true;         ///< whether a project can be written
  bool may_end = true;         ///< a run
  std::optional<Error> fault;  ///< no project can be looked at: the runs go back to the queue
};

/// The rows in the order in which the runs were started: an UPDATE returns them in any.
std::vector<int> oldest_first(const pg::Result& rows) {
  std::vector<int> order;
  for (int row = 0; row < rows.size(); ++row) order.push_back(row);
  std::ranges::sort(order, {}, [&](int row) { return rows.number(row, "start_order"); });
  return order;
}

}  // namespace

struct RunQueue::Impl {
  Impl(const Secret& url, Secret listen_url, QueueOptions given)
      : sessions(url, "generate-project worker", fitting_session(kWritePatience)),
        listeners(std::move(listen_url), "generate-project worker listen",
                  [](pg::Session& session) { session.give_up_after(kListenPatience); }),
        options(std::move(given)),
        clock(std::chrono::milliseconds(options.lease) / 4),
        ender(url, options.csv_base_url),
        unseen(options.csv_base_url) {}

  /// Runs `work` with the session, which is dropped where it fails: the next call connects again.
  template <class Work>
  auto with_session(const Work& work) {
    if (connect() && std::exchange(may_be_outage, true)) grant_grace();
    const StallWatch watch(*this);
    try {
      return work(sessions.get());
    } catch (const Error&) {
      sessions.drop();
      throw;
    }
  }

  void grant_grace() { takeover_from = steady_now() + options.lease; }

  /// A call that takes as long as half a lease is an outage without a lost connection: the owners' beats
  /// waited as well.
  class StallWatch {
   public:
    explicit StallWatch(Impl& queue) : queue_(queue) {}
    ~StallWatch() {
      if (has_stalled()) queue_.grant_grace();
    }
    bool has_stalled() const { return steady_now() - begun_ > queue_.options.lease / 2; }
    StallWatch(const StallWatch&) = delete;
    StallWatch& operator=(const StallWatch&) = delete;

   private:
    Impl& queue_;
    SteadyTime begun_ = steady_now();
  };

  /// Which of the expired leases may be taken over.
  struct Takeover {
    bool is_allowed = false;
    pg::Param held;  ///< but for these
  };

  /// A claim that lay at a server that stood still would meet all leases expired when it goes on, and so does
  /// one after the server's clock has jumped. So the server is asked something just before.
  bool may_take_over(pg::Session& session) {
    const SteadyTime asked = steady_now();
    if (asked < takeover_from) return false;
    const StallWatch watch(*this);
    const auto found = session.run(sql::kFindAbandoned);
    if (clock.has_jumped(std::chrono::milliseconds(found.number(0, "clock_ms")), asked)) {
      grant_grace();
      return false;
    }
    return found.flag(0, "is_found") && !watch.has_stalled();
  }

  std::vector<Claim> claim(pg::Session& session, int most, std::span<const Lease> held) {
    unseen.store_some(session);
    const Takeover takeover{.is_allowed = may_take_over(session), .held = LeaseArrays(held).runs};
    std::vector<Claim> claims;
    TableMet table;
    while (static_cast<int>(claims.size()) < most && table.may_end && !table.fault) {
      const auto rows = take(session, most - static_cast<int>(claims.size()), takeover);
      for (const int row : oldest_first(rows)) add_claim(session, rows, row, table, claims);
      if (rows.empty() || !rows.flag(0, "is_more_waiting")) break;
    }
    if (table.fault && claims.empty()) throw Error(*table.fault);
    return claims;
  }

  /// The oldest that may begin; where none of the oldest may, those behind them.
  pg::Result take(pg::Session& session, int most, const Takeover& takeover) const {
    const std::int64_t lease = options.lease.count();
    const std::int64_t wait = options.takeover_wait.count();
    const int per_owner = limit(options.most_per_owner);
    const int per_project = limit(options.most_per_project);
    auto rows = run_in_turn(session, {sql::kClaimRuns,
                                      {most, options.owner, lease, takeover.is_allowed, per_owner,
                                       per_project, options.most_takes, wait, takeover.held}});
    if (!rows.empty() || !has_limits()) return rows;
    return run_in_turn(session,
                       {sql::kClaimBehind, {most, options.owner, lease, wait, per_owner, per_project}});
  }

  /// With limits no other worker may count at the same time.
  pg::Result run_in_turn(pg::Session& session, const pg::Call& call) const {
    if (!has_limits()) return session.run(call);
    const std::array<pg::Call, 2> calls = {{{sql::kLockQueue, {}}, call}};
    return session.run_together(calls).back();
  }

  bool has_limits() const { return options.most_per_owner > 0 || options.most_per_project > 0; }
  static int limit(int most) { return most > 0 ? most : std::numeric_limits<int>::max(); }

  /// Adds the run that was taken to `claims`, or ends it.
  void add_claim(pg::Session& session, const pg::Result& rows, int row, TableMet& table,
                 std::vector<Claim>& claims) {
    const TakenRun run = read_taken_run(rows, row);
    if (rows.flag(row, "is_cancelled")) return end(session, run, cancelled(), table);
    if (rows.flag(row, "is_used_up")) {
      metrics::count(metrics::Counter::kRunsGivenUp);
      return end(session, run, worker_crashed(), table);
    }
    auto claim = try_claim(session, rows, row, run, table);
    if (claim && look_at_project(session, *claim, table)) claims.push_back(std::move(*claim));
  }

  /// One run that cannot be read must not keep the others from being generated: it ends alone.
  std::optional<Claim> try_claim(pg::Session& session, const pg::Result& rows, int row, const TakenRun& run,
                                 TableMet& table) {
    try {
      return read_claim(session, rows, row, run);
    } catch (const Error& error) {
      if (is_away(error)) throw;
      report::report(report::RunUnreadable{run.run_id.str(), error.what()});
      end(session, run, unreadable(), table);
      return std::nullopt;
    }
  }

  /// Sees to the claim's project. Where a lock keeps us from asking, that is a yes: the document is stored
  /// when the lock is gone. False: the table is at fault, and the run is back in the queue.
  bool look_at_project(pg::Session& session, Claim& claim, TableMet& table) {
    try {
      if (table.may_ask) {
        claim.project_writable = ensure_project(session, claim.lease.run_id, claim.request);
        return true;
      }
    } catch (const Error& error) {
      if (!is_away(error)) {
        table.fault = Error(ErrorKind::kUnavailable,
                            fmt::format("the table projects cannot be used: {}", error.what()), error.code());
        give_back(session, claim.lease);
        return false;
      }
      if (!is_lock_timeout(error)) throw;
      table.may_ask = table.may_end = false;
    }
    unseen.add(claim.lease.run_id);
    return true;
  }

  static void give_back(pg::Session& session, const Lease& lease) {
    session.run(sql::kGiveBackRun, {lease.run_id.str(), lease.token.str()});
  }

  /// A run that cannot even be ended is left to its lease, for the same reason: it comes back ever more
  /// seldom. So is one whose project is locked, and those after it.
  void end(pg::Session& session, const TakenRun& run, const RunEnding& ending, TableMet& table) {
    if (!table.may_end) return;
    try {
      const EndOutcome outcome = ender.end(session, run, ending);
      table.may_end = outcome != EndOutcome::kLocked;
      if (outcome != EndOutcome::kEnded) return;
    } catch (const Error& error) {
      if (is_away(error)) throw;
      return report::report(report::RunUnreadable{run.run_id.str(), error.what()});
    }
    const bool is_wanted = ending.code == cancelled().code;
    metrics::count(is_wanted ? metrics::Counter::kRunsCancelled : metrics::Counter::kRunsFailed);
    report::report(report::RunEnded{run.run_id.str(), ending.code, std::chrono::milliseconds(0)});
  }

  void ask_listener_if_due() {
    if (steady_now() < ask_listener_from) return;
    listeners.get().run_script("SELECT 1");
    ask_listener_from = steady_now() + kAskListener;
  }

  bool connect() {
    try {
      return sessions.ensure();
    } catch (const Error&) {
      may_be_outage = true;
      throw;
    }
  }

  pg::SessionHolder sessions;
  pg::SessionHolder listeners;
  QueueOptions options;
  ClockWatch clock;
  RunEnder ender;
  UnseenProjects unseen;
  bool may_be_outage = false;  ///< what the next connection ends is an outage; the first one ends none
  SteadyTime ask_listener_from{};
  SteadyTime takeover_from{};  ///< after an outage the owners of expired leases get one lease's time to renew
};

RunQueue::RunQueue(Secret database_url, Secret listen_url, QueueOptions options)
    : impl_(std::make_unique<Impl>(database_url, std::move(listen_url), std::move(options))) {}
RunQueue::~RunQueue() = default;
RunQueue::RunQueue(RunQueue&&) noexcept = default;

void RunQueue::end_leases_of(const std::string& owner) {
  impl_->with_session([&](pg::Session& session) {
    if (session.run(sql::kEndLeases, {owner}).affected() > 0) session.run(sql::kRing, {kQueueChannel, ""});
  });
}

std::vector<Claim> RunQueue::claim(int most, std::span<const Lease> held) {
  return impl_->with_session([&](pg::Session& session) { return impl_->claim(session, most, held); });
}

void RunQueue::grant_grace() { impl_->grant_grace(); }

Renewal RunQueue::renew(std::span<const Lease> held) {
  const LeaseArrays leases(held);
  const auto renewed = impl_->with_session([&](pg::Session& session) {
    return session.run(sql::kRenewLeases, {leases.runs, leases.tokens, impl_->options.lease.count()});
  });
  Renewal renewal;
  for (const Lease& lease : held) renewal.lost.push_back(lease.run_id);
  for (int row = 0; row < renewed.size(); ++row) {
    const RunId run_id(renewed.text(row, "run_id"));
    std::erase(renewal.lost, run_id);
    if (renewed.flag(row, "is_cancelled")) renewal.cancelled.push_back(run_id);
  }
  return renewal;
}

std::vector<RunId> RunQueue::find_cancelled(std::span<const Lease> held) {
  const LeaseArrays leases(held);
  const auto found = impl_->with_session([&](pg::Session& session) {
    return session.run(sql::kFindCancelled, {leases.runs, leases.tokens});
  });
  std::vector<RunId> cancelled;
  for (int row = 0; row < found.size(); ++row) cancelled.emplace_back(found.text(row, "run_id"));
  return cancelled;
}

void RunQueue::give_back(const Lease& lease) {
  impl_->with_session([&](pg::Session& session) {
    Impl::give_back(session, lease);
    session.run(sql::kRing, {kQueueChannel, ""});
  });
}

void RunQueue::listen_from_now_on() { impl_->options.listens = true; }

Rings RunQueue::wait(std::chrono::milliseconds timeout, int wake_fd) {
  if (!impl_->options.listens) {
    pollfd entry{wake_fd, POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(timeout.count()));
    return {};
  }
  try {
    if (impl_->listeners.ensure()) {
      impl_->listeners.get().listen(kQueueChannel);
      impl_->listeners.get().listen(kCancelsChannel);
      impl_->ask_listener_from = steady_now() + kAskListener;
      return {.queue = true, .cancels = true};
    }
    impl_->ask_listener_if_due();
    Rings rings;
    for (const pg::Notification& ring : impl_->listeners.get().wait(timeout, wake_fd)) {
      rings.queue = rings.queue || ring.channel == kQueueChannel;
      rings.cancels = rings.cancels || ring.channel == kCancelsChannel;
    }
    return rings;
  } catch (const Error&) {
    impl_->listeners.drop();
    throw;
  }
}

}  // namespace gp::runlog
