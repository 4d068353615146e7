#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/runlog/event_reader.h"
#include "core/streaming/log_reader.h"
#include "core/streaming/stream.h"

namespace gp::streaming {

/// One run that somebody here follows.
struct Channel {
  RunId run_id;
  std::vector<Stream*> streams;
  SteadyTime next_check;  ///< the slow timer: read then even if no ring came
};

/// Which runs are followed by which streams, and the one rule by which events reach them: an answer of the
/// log for a cursor `a` is offered to every stream of the run whose cursor is at least `a`; each takes the
/// events beyond its own cursor. Replay, live delivery and recovery are this same rule, so there is no window
/// between them. The event loop's thread only.
class Hub {
 public:
  /// What a stream does with a frame, which is FastCGI bytes already and shared by all of them. False: it
  /// took none (it lags now, or has gone).
  using Offer = std::function<bool(Stream&, std::int64_t id, const std::string& frame)>;

  Channel& join(const RunId& run_id, Stream& stream);
  void leave(Stream& stream);  ///< forgets the channel with its last stream

  /// Renders the answer's events once and offers them. `before` is called first for every stream the answer
  /// covers (it may open or end it), `after` last.
  struct Visitors {
    std::function<void(Stream&, const runlog::RunTail&)> before;
    Offer offer;
    std::function<void(Stream&, const runlog::RunTail&)> after;
  };
  void deliver(const TailAnswer& answer, const Visitors& visitors);

  /// Where to read this run from: the lowest cursor among its streams that can take events. Nothing where
  /// none can.
  std::optional<runlog::Cursor> cursor_of(const RunId& run_id) const;

  /// The cursors of every run, or of those whose slow timer is due at `now`; their timers start again.
  std::vector<runlog::Cursor> all_cursors() const;
  std::vector<runlog::Cursor> due_cursors(SteadyTime now);

 private:
  static std::optional<runlog::Cursor> lowest_cursor(const Channel& channel);

  std::unordered_map<RunId, Channel> channels_;  ///< node based: a Channel's address is stable
};

}  // namespace gp::streaming
