#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "core/base/ids.h"
#include "core/streaming/stream.h"

namespace gp::streaming {

/// One run that somebody here follows.
struct Channel {
  const RunId* run_id = nullptr;  ///< the key of this channel's entry in the hub
  std::vector<Stream*> streams;
};

/// Which streams follow which run. The one rule by which events reach them: an answer for a cursor `a` is
/// offered to every stream of the run whose cursor is at least `a`; each takes the events beyond its own.
/// Replay, live delivery and recovery are this same rule, so there is no window between them. The event
/// loop's thread only.
class Hub {
 public:
  void join(const RunId& run_id, Stream& stream);

  /// True where this was the run's last stream: its channel is gone.
  bool leave(Stream& stream);

  /// Nothing where nobody follows the run.
  Channel* find(const RunId& run_id);

 private:
  std::unordered_map<RunId, Channel> channels_;  ///< node based: an entry's address is stable
};

}  // namespace gp::streaming
