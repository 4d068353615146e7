#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"

namespace gp::runlog {

/// Runs that have been pruned in one go.
struct PrunedRuns {
  std::vector<RunId> runs;
  std::int64_t events = 0;
};

/// A run that this host may still keep something of although the log does not.
struct ExpiredRun {
  RunId run_id;
  bool is_unknown = false;  ///< there is no such run; else it has been pruned, or is due
};

/// The end of a run's life in the log: the events of runs that ended longer ago than the retention are
/// removed, with the request and the owner's address; the run's row stays, so that a stream can be answered
/// with 410. Never touches a run that has not ended, nor the projects. One session. Not thread-safe. Every
/// function throws Error(kUnavailable) where PostgreSQL is away.
class Retention {
 public:
  explicit Retention(const Secret& database_url);
  ~Retention();

  struct Count {
    std::int64_t runs = 0;
    std::int64_t events = 0;
  };
  /// What there is to prune.
  Count count(std::chrono::seconds retention);

  /// Prunes at most `limit` runs in one short transaction; several hosts may do so at once. Empty: nothing is
  /// left that is not in somebody else's hands.
  PrunedRuns prune_some(std::chrono::seconds retention, int limit);

  /// Those of `runs` that are not in the log any more and, given a retention, those that prune_some would
  /// prune by it.
  std::vector<ExpiredRun> find_expired(std::span<const RunId> runs,
                                       std::optional<std::chrono::seconds> retention = std::nullopt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
