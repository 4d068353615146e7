#pragma once

#include <span>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/spool/replay_cache.h"

namespace gp::streaming {

/// What the replay reader needs of the host's replay cache: the one in the spool, or a test's fake. Used by
/// one thread. Never throws: a store that does not work misses everything.
class ReplayStore {
 public:
  virtual ~ReplayStore() = default;
  virtual spool::CachedTail find(const RunId& run_id, std::int64_t after, int limit) = 0;
  virtual void store(std::span<const spool::CachedEvent> events) = 0;
  virtual void trim() = 0;
};

/// The replay cache in the host's SQLite spool. Make it after fork.
class SpoolReplayStore : public ReplayStore {
 public:
  SpoolReplayStore(std::string path, spool::ReplayLimits limits) : cache_(std::move(path), limits) {}
  spool::CachedTail find(const RunId& run_id, std::int64_t after, int limit) override {
    return cache_.find(run_id, after, limit);
  }
  void store(std::span<const spool::CachedEvent> events) override { cache_.store(events); }
  void trim() override { cache_.trim(wall_now()); }

 private:
  spool::ReplayCache cache_;
};

}  // namespace gp::streaming
