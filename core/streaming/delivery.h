#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/spool/cached_event.h"
#include "core/streaming/frames.h"
#include "core/streaming/news.h"
#include "core/streaming/stream_writer.h"

namespace gp::streaming {

/// One answer on its way to the streams of its run: its events rendered once, and what they took of them
/// counted.
class Delivery {
 public:
  /// `answer` outlives it. Throws Error(kBug) where an event cannot be rendered.
  explicit Delivery(const TailAnswer& answer)
      : answer_(answer), frames_(answer.tail.events), takers_(answer.tail.events.size()) {}

  /// How much there is for the stream: the frames beyond its cursor.
  std::size_t bytes_for(const Stream& stream) const { return frames_.after(stream.cursor).size(); }

  /// Gives the stream the events beyond its cursor.
  void give(Stream& stream, StreamWriter& writer);

  /// Adds what was given to the metrics: the lag of what is live, the number of what was caught up with.
  void count() const;

 private:
  const TailAnswer& answer_;
  Frames frames_;
  std::vector<std::uint32_t> takers_;  ///< of each event: how many streams took it
};

/// The answer's events as the replay cache keeps them.
std::vector<spool::CachedEvent> as_cached(TailAnswer&& answer);

}  // namespace gp::streaming
