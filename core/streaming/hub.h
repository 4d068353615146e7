#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/base/ids.h"
#include "core/streaming/news.h"
#include "core/streaming/stream.h"

namespace gp::streaming {

/// One run that somebody here follows. Its streams are listed in two parts: those that wait for a read of
/// their own, and behind them those that have every event up to `newest` and can only be told a later one. So
/// an answer that one client's coming has caused costs as much as there are clients that wait, not as there
/// are followers: ten thousand that come to one run would make fifty million looks otherwise.
struct Channel {
  const RunId* run_id = nullptr;  ///< the key of this channel's entry in the hub
  std::vector<Stream*> streams;
  std::size_t waiting = 0;  ///< so many of `streams`, from the first, wait for a read of their own
  std::int64_t newest = 0;  ///< the newest event that was offered here

  /// The streams for which `answer` may have something: all, or only those that wait.
  std::span<Stream* const> concerned_by(const TailAnswer& answer) const;

  /// `answer` has been offered to all whom it concerns: lists each of them in the part where it belongs now.
  void settle(const TailAnswer& answer);
};

/// Which streams follow which run. The one rule by which events reach them: an answer for a cursor `a` is
/// offered to every stream of the run whose cursor is at least `a` and for which it may have something; each
/// takes the events beyond its own. Replay, live delivery and recovery are this same rule, so there is no
/// window between them. The event loop's thread only.
class Hub {
 public:
  /// The stream waits for a read of its own.
  void join(const RunId& run_id, Stream& stream);

  /// True where this was the run's last stream: its channel is gone.
  bool leave(Stream& stream);

  /// Nothing where nobody follows the run.
  Channel* find(const RunId& run_id);

 private:
  std::unordered_map<RunId, Channel> channels_;  ///< node based: an entry's address is stable
};

}  // namespace gp::streaming
