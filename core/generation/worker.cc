#include "core/generation/worker.h"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <poll.h>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/exit_code.h"
#include "core/base/ids.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/generation/estates.h"
#include "core/generation/generations.h"
#include "core/generation/known_events.h"
#include "core/generation/lease_book.h"
#include "core/generation/pool_doorbell.h"
#include "core/generation/shipper.h"
#include "core/generation/wake_up.h"
#include "core/runlog/run_queue.h"
#include "core/runlog/schema.h"
#include "core/spool/host_slot.h"
#include "core/spool/outbox.h"

namespace gp::generation {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{2000};  ///< looks at the queue so often although no doorbell rang
constexpr milliseconds kFirstRetry{200};
constexpr milliseconds kLongestRetry{5000};
constexpr milliseconds kFirstRest{1000};  ///< of a worker that gets no threads
constexpr milliseconds kLongestRest{30000};
constexpr std::chrono::seconds kKeepRefused{60};  ///< many times what lies between a claim and its generation
constexpr milliseconds kShipAtStop{
    10000};  ///< how long a stopping worker waits for the database to take the last steps

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

/// One worker of a pool listens, for all: every session that listens slows every NOTIFY down.
bool is_listening(const WorkerSlot& slot) { return slot.slot == 0; }

runlog::QueueOptions queue_options(const Config& config, std::string owner, bool listens) {
  return {.owner = std::move(owner),
          .lease = config.lease_s,
          .listens = listens,
          .csv_base_url = config.csv_base_url,
          .most_per_owner = static_cast<int>(config.runs_max_per_owner),
          .most_per_project = static_cast<int>(config.runs_max_per_project),
          .most_takes = static_cast<int>(config.run_max_takes),
          .takeover_wait = config.run_takeover_wait_s};
}

class Worker {
 public:
  Worker(const Config& config, const WorkerFiles& files, const WorkerSlot& slot)
      : config_(config),
        slot_(slot),
        host_slot_(config.spool_path + ".slots", slot.slot, static_cast<int>(slot.wake_fds.size())),
        outbox_(config.spool_path, host_slot_.number(), config.spool_max_bytes),
        spool_id_(outbox_.find_spool_id()),
        wake_up_(slot),
        doorbell_(config.database_url, slot),
        shipper_(config, outbox_, leases_, doorbell_, [this] { wake_up_.ring(); }),
        queue_(config.database_url, config.database_listen_url,
               queue_options(config, owner_name(spool_id_.value_or(make_uuid()), host_slot_.number()),
                             is_listening(slot))),
        estates_(host_slot_, outbox_, queue_, config.lease_s),
        backoff_(kFirstRetry, kLongestRetry),
        rest_(kFirstRest, kLongestRest),
        generations_(config, files.blocklist, files.prices, leases_, shipper_, [this] { wake_up_.ring(); }) {}

  int run() {
    look_after_former_self();
    last_beat_ = steady_now();
    while (!is_readable(slot_.stop_fd) && keep_slot()) with_database([this] { turn(); });
    drain();
    return to_int(ExitCode::kOk);
  }

 private:
  /// Before anything is claimed: afterwards this worker's leases bear the same name as its former self's. Not
  /// where the spool, which has the name, is of no use: then they bear a name that nobody had.
  void look_after_former_self() {
    estates_.find();
    while (spool_id_ && !estates_.empty() && !is_readable(slot_.stop_fd)) {
      with_database([this] {
        if (estates_.settle()) shipper_.look_again();
        if (!estates_.empty()) shipper_.wait_until_empty(kPoll);
      });
    }
  }

  /// What workers of this host that have died since have left. Few: a dead worker's successor does it at its
  /// start, unless it has got another slot, or there is none.
  void look_after_the_dead() {
    estates_.find();
    if (!estates_.empty() && estates_.settle()) shipper_.look_again();
  }

  /// Whoever claimed one of those runs has long had the time to take up what was left of it.
  void tidy_outbox() {
    try {
      outbox_.tidy(wall_now() - kKeepRefused);
    } catch (const Error& error) {
      report::report(report::SpoolFailed{error.what()});
    }
  }

  /// False where the file of slots is gone and somebody else holds this slot: two workers must not go by one
  /// name, so this one hands its runs on and ends.
  bool keep_slot() {
    const bool is_kept = host_slot_.keep();
    if (!is_kept) report::report(report::SlotLost{host_slot_.number()});
    return is_kept;
  }

  void turn() {
    reap();
    const bool is_in_time = beat_if_due();
    look_for_cancels();
    give_back_the_unstarted();
    const int free = static_cast<int>(config_.worker_concurrency) - static_cast<int>(generations_.size());
    if (free > 0 && is_in_time && steady_now() >= rest_until_) {
      for (runlog::Claim& claim : queue_.claim(free, leases_.held())) start(std::move(claim));
    }
    const auto until_beat = std::chrono::ceil<milliseconds>(next_beat_ - steady_now());
    wait_for_ring(std::clamp(until_beat, milliseconds(0), kPoll), wake_up_.any_fd());
  }

  /// The others of the pool hear the doorbells through the listening one, whether it has room itself or not.
  void wait_for_ring(milliseconds timeout, int wake_fd) {
    const runlog::Rings rings = queue_.wait(timeout, wake_fd);
    are_cancels_due_ = are_cancels_due_ || rings.cancels;
    wake_up_.pass_on(rings);
  }

  void look_for_cancels() {
    if (!are_cancels_due_) return;
    const auto held = leases_.held();
    if (!held.empty()) cancel(queue_.find_cancelled(held));
    are_cancels_due_ = false;
  }

  void cancel(const std::vector<RunId>& runs) {
    for (const RunId& run_id : runs) leases_.mark_cancelled(run_id);
  }

  /// Runs `work`; where the database is away it reports that, waits a little (still woken by a stop), and
  /// returns.
  template <class Work>
  void with_database(const Work& work) {
    try {
      work();
      if (std::exchange(is_away_, false)) {
        report::report(report::DatabaseBack{"queue"});
        shipper_.check_log();
      }
      backoff_.reset();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kSchema) throw;
      is_away_ = true;
      const auto wait = backoff_.next();
      report::report(report::DatabaseLost{"queue", error.what(), wait});
      pollfd entry{slot_.stop_fd, POLLIN, 0};
      ::poll(&entry, 1, static_cast<int>(wait.count()));
      reap();
    }
  }

  /// False where the last good beat was so long ago, or this one took so long, that leases may have ended
  /// meanwhile, this worker's and others': the database stood still, or this process did. Then the next beat
  /// is due at once, and comes before any claim.
  bool beat_if_due() {
    const SteadyTime begun = steady_now();
    if (begun < next_beat_ && !leases_.is_beat_wanted()) return true;
    LeaseBook::Beat beat(leases_);
    const auto held = leases_.held();
    if (!held.empty()) {
      const runlog::Renewal renewal = queue_.renew(held);
      for (const RunId& run_id : renewal.lost) lose(run_id, held);
      cancel(renewal.cancelled);
    }
    beat.succeed();
    const bool is_in_time = steady_now() - std::exchange(last_beat_, begun) <= longest_between_beats();
    if (!is_in_time) queue_.grant_grace();
    next_beat_ = is_in_time ? begun + config_.lease_beat_s : begun;
    look_after_the_dead();
    tidy_outbox();
    return is_in_time;
  }

  milliseconds longest_between_beats() const {
    return std::max<milliseconds>(config_.lease_s / 2, config_.lease_beat_s * 2);
  }

  void lose(const RunId& run_id, const std::vector<runlog::Lease>& held) {
    const auto lease = std::ranges::find(held, run_id, &runlog::Lease::run_id);
    if (lease == held.end()) return;
    if (leases_.mark_lost(run_id, lease->token)) report::report(report::LeaseLost{run_id.str()});
  }

  void start(runlog::Claim claim) {
    metrics::count(metrics::Counter::kRunsTaken);
    report::report(report::RunTaken{claim.lease.run_id.str(), claim.attempt, claim.former_token.has_value()});
    const auto known = find_known_events(claim);
    if (!known) return;
    const LeaseBook::SharedFlags flags = leases_.add(claim.lease);
    for (const project::Step& step : *known) shipper_.submit(step);
    if (!known->empty() && known->back().end) return;  // it has ended
    const runlog::Lease lease = claim.lease;
    try {
      generations_.start(std::move(claim), flags);
      rest_.reset();
    } catch (const std::system_error& error) {
      put_off(lease, error.what());
    }
  }

  /// There is no thread for it (a limit of the unit's, or the machine's): somebody else shall have it, and
  /// this worker takes none for a while.
  void put_off(const runlog::Lease& lease, const std::string& reason) {
    unstarted_.push_back(lease);
    if (steady_now() >= rest_until_) rest_until_ = steady_now() + rest_.next();
    report::report(report::GenerationNotStarted{lease.run_id.str(), reason});
  }

  /// Each once the steps are decided that came with its claim: without its lease they would be refused.
  void give_back_the_unstarted() {
    for (auto lease = unstarted_.begin(); lease != unstarted_.end();) {
      if (shipper_.has_undecided(lease->token)) {
        ++lease;
        continue;
      }
      give_back(*lease);
      lease = unstarted_.erase(lease);
    }
  }

  /// Nothing where the events of the run do not fold: a bug, and its lease must not be kept.
  std::optional<std::vector<project::Step>> find_known_events(runlog::Claim& claim) {
    try {
      return add_known_events(claim, outbox_, config_.csv_base_url);
    } catch (const std::exception& error) {
      report::report(report::ThreadFailed{"claim " + claim.lease.run_id.str(), error.what()});
      return std::nullopt;
    }
  }

  void reap() {
    are_cancels_due_ = wake_up_.clear().cancels || are_cancels_due_;
    generations_.reap();
  }

  void drain() {
    // The worker in slot 0 is told to stop as well, and may have nothing to wait for.
    queue_.listen_from_now_on();
    doorbell_.ring_alone_from_now_on();
    const SteadyTime deadline = steady_now() + config_.worker_drain_s;
    while (!generations_.empty() && steady_now() < deadline) {
      wait_while_draining(std::min<milliseconds>(kPoll, config_.lease_beat_s / 2));
      reap();
      with_database([this] {
        beat_if_due();
        look_for_cancels();
      });
    }
    generations_.stop();

    give_back_the_decided();  // at once: what follows may take its time
    if (!shipper_.wait_until_empty(kShipAtStop)) {
      give_back_the_decided();
      return;  // the rows of the others stay in the outbox for whoever looks after this slot
    }
    give_back_all(leases_.held());
    if (leases_.held().empty()) host_slot_.leave();
  }

  /// A drain may take minutes: the others go on hearing the doorbells through this one.
  void wait_while_draining(milliseconds timeout) {
    try {
      wait_for_ring(timeout, wake_up_.ring_fd());
    } catch (const Error&) {
      pollfd entry{wake_up_.ring_fd(), POLLIN, 0};
      ::poll(&entry, 1, static_cast<int>(timeout.count()));
    }
  }

  /// Not those of runs with a step that PostgreSQL has not taken yet: without its lease it would be refused.
  void give_back_the_decided() {
    std::vector<runlog::Lease> leases = leases_.held();
    std::erase_if(leases, [this](const runlog::Lease& lease) { return shipper_.has_undecided(lease.token); });
    give_back_all(leases);
  }

  void give_back_all(const std::vector<runlog::Lease>& leases) {
    try {
      for (const runlog::Lease& lease : leases) give_back(lease);
    } catch (const Error& error) {
      report::report(report::DatabaseLost{"queue", error.what(), milliseconds(0)});  // the leases will expire
    }
  }

  void give_back(const runlog::Lease& lease) {
    queue_.give_back(lease);
    leases_.remove(lease.run_id, lease.token);
  }

  const Config& config_;
  WorkerSlot slot_;
  LeaseBook leases_;
  spool::HostSlot host_slot_;
  spool::Outbox outbox_;
  std::optional<std::string> spool_id_;  ///< nothing: the spool was of no use when this worker began
  WakeUp wake_up_;
  PoolDoorbell doorbell_;
  Shipper shipper_;
  runlog::RunQueue queue_;
  Estates estates_;
  Backoff backoff_;
  Backoff rest_;                          ///< after a thread that could not be made
  SteadyTime rest_until_{};               ///< no run is taken before
  std::vector<runlog::Lease> unstarted_;  ///< of runs that got no thread, still in the book
  bool is_away_ = false;
  bool are_cancels_due_ = false;  ///< one of the runs held may have been cancelled
  SteadyTime next_beat_ = steady_now();
  SteadyTime last_beat_ = steady_now();  ///< when the last good one began
  Generations generations_;              ///< last: its threads use everything above
};

}  // namespace

WorkerFiles WorkerFiles::load(const Config& config) {
  return {project::Blocklist::load(config.blocklist_file), llm::PriceTable::load(config.prices_file)};
}

int run_worker(const Config& config, const WorkerFiles& files, const WorkerSlot& slot) {
  runlog::await_schema(config.database_url, slot.stop_fd);
  Worker worker(config, files, slot);
  return worker.run();
}

}  // namespace gp::generation
