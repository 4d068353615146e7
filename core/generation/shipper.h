#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/generation/lease_book.h"
#include "core/generation/log_restorer.h"
#include "core/generation/overflow.h"
#include "core/generation/pool_doorbell.h"
#include "core/project/step.h"
#include "core/runlog/event_writer.h"
#include "core/spool/outbox.h"

namespace gp::generation {

/// Carries steps from the outbox to PostgreSQL: one thread per worker process, in order, in batches, each
/// batch one transaction; after it the doorbell and a rest of a few milliseconds at most
/// (runlog::rest_after). The only way a step gets there, in fair weather and after an outage alike.
/// Generations call submit() and never wait for the database (P3).
///
/// After a failover to a standby that lacks what the old primary had confirmed, the shipper writes it again
/// (LogRestorer).
///
/// A step whose COMMIT answer was lost is sent again and recognised by its id. A step that is fenced off, or
/// that PostgreSQL refuses for what is in it, is refused (Outbox::refuse) and its run marked lost in the
/// LeaseBook. A run whose project somebody else's transaction has locked stays in the outbox and is tried
/// again every few seconds; the others go on.
///
/// While the spool cannot take steps (disk full, somebody keeps it busy) they wait in memory (Overflow), and
/// that is reported: they survive a database outage but not the death of this process. Nor does a spool that
/// cannot be read, or cannot give up what is confirmed, hold up what is in memory.
class Shipper {
 public:
  /// The references must outlive the shipper. `on_end` is called, from the thread, when the end of a run is
  /// committed. Makes a session and the thread, so: after fork.
  Shipper(const Config& config, spool::Outbox& outbox, LeaseBook& leases, PoolDoorbell& doorbell,
          std::function<void()> on_end);
  ~Shipper();  ///< stops the thread after the batch at hand; what is left stays in the outbox

  /// Makes the step durable on this host and hands it to the thread. Any thread. Steps of one run: one thread
  /// at a time.
  void submit(const project::Step& step);

  /// The connection was lost, by whichever session: the log may be another one now.
  void check_log();

  /// The outbox has entries that did not come by submit(): a dead worker's.
  void look_again();

  /// True while a step that was submitted under this lease is neither committed nor refused. Any thread.
  bool has_undecided(const LeaseToken& token) const { return overflow_.has_undecided(token); }

  /// Waits until everything submitted so far, and everything a former worker of this slot left behind, is
  /// committed or fenced. False where `timeout` passed first or the shipper is stopping.
  bool wait_until_empty(std::chrono::milliseconds timeout);

 private:
  struct Batch {
    std::vector<project::Step> steps;     ///< first those from the outbox, then those from memory
    std::vector<std::int64_t> sequences;  ///< of the former
    std::vector<std::size_t> places;      ///< of the latter, in overflow_
  };

  void run(const std::stop_token& stop);
  void wait_for_work(const std::stop_token& stop);
  std::optional<SteadyTime> find_next_look() const;
  Batch take_batch();
  spool::Outbox::Beside find_set_aside();
  void read_outbox(const spool::Outbox::Beside& beside, Batch& batch);
  void take_from_memory(const spool::Outbox::Beside& beside, std::size_t count, Batch& batch);
  void ship(const Batch& batch);
  void restore_the_log();
  void settle(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes);
  void lose(const project::Step& step);
  void leave_memory(const Batch& batch, const std::vector<runlog::WriteOutcome>& outcomes);
  void empty_spool();
  void pause(const std::stop_token& stop, std::chrono::nanoseconds time);

  spool::Outbox& outbox_;
  LeaseBook& leases_;
  PoolDoorbell& doorbell_;
  std::function<void()> on_end_;
  Overflow overflow_;
  runlog::EventWriter writer_;
  LogRestorer log_{outbox_, writer_};

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool has_work_ = true;  ///< guarded by mutex_; at start the outbox may hold rows of a former worker
  bool is_idle_ = false;  ///< guarded by mutex_; the thread found nothing to ship

  // The thread's own.
  std::unordered_map<RunId, SteadyTime> locked_;  ///< when to try a run again whose project is locked
  std::vector<std::int64_t> to_confirm_;          ///< entries that are committed and still in the outbox
  std::vector<std::int64_t> to_refuse_;           ///< the same of refused ones
  bool is_spool_unread_ = false;                  ///< at the last look
  bool is_spool_stuck_ = false;                   ///< it did not give up its entries at the last try

  std::jthread thread_;  ///< last: it uses everything above
};

}  // namespace gp::generation
