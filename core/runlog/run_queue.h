#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/project/event.h"
#include "core/project/start_request.h"

namespace gp::runlog {

/// The right to write one run until the lease expires. The token is new at every take.
struct Lease {
  RunId run_id;
  LeaseToken token;
};

/// A run taken from the queue, with everything a generation needs to begin or to go on.
struct Claim {
  Lease lease;
  int attempt = 1;
  project::StartRequest request;
  std::vector<project::Event>
      events;  ///< what earlier attempts and owners wrote, ids 1..n; the next id is n + 1
  /// The lease that it was running under, which has expired or was ended; nothing for a run that waited.
  std::optional<LeaseToken> former_token = {};
  bool project_writable = true;  ///< false: the projects table has no such row and does not let us insert
                                 ///< one; true also where a lock kept us from asking
};

struct QueueOptions {
  std::string
      owner;  ///< who holds the leases: "<spool id>/<slot>", the same again after a crash of the same slot
  std::chrono::seconds lease{30};
  bool listens =
      true;  ///< false: somebody else hears the doorbells and makes the `wake_fd` of wait() readable
  std::string csv_base_url = {};  ///< as in the settings, for the documents of runs that are ended here
  int most_per_owner = 0;         ///< running runs of one owner's address, on all hosts together; 0: no limit
  int most_per_project = 0;       ///< the same of one project
  int most_takes = 5;  ///< an attempt that was taken so often and lost its worker again is given up
  std::chrono::seconds takeover_wait{5};  ///< before the third take; then three times as long each time
};

/// What the doorbells said.
struct Rings {
  bool queue = false;    ///< a run may wait
  bool cancels = false;  ///< a run that somebody holds may be cancelled: ask find_cancelled()
};

/// What a renewal found.
struct Renewal {
  std::vector<RunId> lost;       ///< no longer ours
  std::vector<RunId> cancelled;  ///< ours, renewed, and to be cancelled
};

/// The queue of runs (FOR UPDATE SKIP LOCKED over generation_runs) as one worker process sees it. One session
/// for statements, one LISTEN session on the channels "generation_queue" and "generation_cancels" where it
/// listens, and one for ending runs, made when it is needed. Not
/// thread-safe; make it after fork. Every function throws Error(kUnavailable) where PostgreSQL is away; the
/// next call connects again.
class RunQueue {
 public:
  RunQueue(Secret database_url, Secret listen_url, QueueOptions options);
  ~RunQueue();
  RunQueue(RunQueue&&) noexcept;

  /// Ends the leases of `owner`, whose process is gone: its runs stay running, with a take used up, and can
  /// be taken over without waiting for the leases' ends. Rings the queue's bell where there were any.
  void end_leases_of(const std::string& owner);

  /// Takes up to `most` runs: running ones whose lease has expired (but not for one lease's time after the
  /// connection was lost, or could not be made at first, or a call took longer than half a lease, or the
  /// database's clock jumped: their owners could not renew either), then queued ones, oldest first, passing
  /// over those of an owner or a project that has its share running. The shares are exact: workers take turns
  /// in counting and taking.
  ///
  /// A run that lost its worker is taken over at once, then after takeover_wait, three times that ... (at
  /// most 300 s): one that kills its workers holds up nobody and ends after `most_takes`. Each claimed run's
  /// project row is made sure of here (inserted where the table lets us), so that no generation waits for it.
  /// A run among them that is to be cancelled, or that cannot be read back, is ended here and not returned,
  /// nor is one that is given up; another one is taken in its place. None of `held`, the leases of this very
  /// worker, is taken over.
  ///
  /// Where the table of projects cannot be used at all (it, or its column id, is not there) the runs taken go
  /// back as they were, and Error(kUnavailable) says so: they wait until it is put right.
  ///
  /// Where the calling app has locked the projects it waits for one lock to look at one and for one to end a
  /// run (lock_wait.h), however many are locked: the other projects pass as writable unlooked at (a later
  /// claim() makes up for it, see unseen_projects.h), the other runs that are to be ended are left to their
  /// leases.
  std::vector<Claim> claim(int most, std::span<const Lease> held = {});

  /// Takes over no expired lease for one lease's time from now on: there was an outage that only the caller
  /// has noticed.
  void grant_grace();

  /// Renews all of `held` in one statement.
  Renewal renew(std::span<const Lease> held);

  /// Which of `held` are to be cancelled.
  std::vector<RunId> find_cancelled(std::span<const Lease> held);

  /// Puts a run back into the queue (state queued, no lease) without using up its attempt. Nothing happens
  /// where the lease is lost.
  void give_back(const Lease& lease);

  /// Whoever listened for this worker may leave before it does: the next wait() listens by itself.
  void listen_from_now_on();

  /// Waits until a doorbell rings, `wake_fd` (it is not read) becomes readable, or `timeout` has passed.
  /// Returns what rang, or may have unheard because it listens only from now on. A server process that stands
  /// still is noticed within 13 s. Connects to nothing where it does not listen.
  Rings wait(std::chrono::milliseconds timeout, int wake_fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
