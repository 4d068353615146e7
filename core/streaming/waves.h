#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/streaming/delivery.h"
#include "core/streaming/lanes.h"
#include "core/streaming/news.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_table.h"

namespace gp::streaming {

/// Answers on their way to very many streams, each in parts: in every lane as many at a time as its worker is
/// ready for, and never in all lanes at once: one worker has nothing before it, and takes what else nginx is
/// asked. What comes for a run meanwhile waits behind its wave, because a stream that has not had the first
/// events cannot take the next; reads that go on from each other are one answer then, so a lane that cannot
/// keep up is given more at once instead of falling behind. The event loop's thread only.
class Waves {
 public:
  /// Offers the answer to the stream, which follows its run.
  using Offer = std::function<void(Stream&, const TailAnswer&, Delivery&)>;
  /// The answer was offered to all for whom it was begun and who are still there.
  using End = std::function<void(TailAnswer&, const Delivery&)>;

  /// `streams` and `lanes` outlive it.
  Waves(const StreamTable& streams, Lanes& lanes, Offer offer, End end)
      : streams_(streams), lanes_(lanes), offer_(std::move(offer)), end_(std::move(end)) {}

  /// For `to`, some of the streams of its run, which has no wave. Sends nothing yet. Throws Error(kBug) where
  /// an event cannot be rendered; the answer is lost then.
  void begin(TailAnswer&& answer, std::span<Stream* const> to);

  /// Where a wave of its run is on its way: takes the answer to wait behind it. Else false, and nothing is
  /// moved.
  bool put_behind(TailAnswer& answer);

  /// Sends what the lanes are ready for. Returns what waited behind the waves that have ended, in order; it
  /// has still to be delivered.
  std::vector<TailAnswer> advance();

  /// Nothing is on its way.
  bool empty() const noexcept { return waves_.empty(); }

 private:
  struct Part {
    std::vector<int> fds;  ///< of the streams in one lane
    std::size_t next = 0;
    bool is_over() const { return next == fds.size(); }
  };
  struct Wave {
    Wave(TailAnswer&& given, std::size_t lanes);
    bool is_over() const;
    TailAnswer answer;
    Delivery delivery;
    std::vector<Part> parts;  ///< by lane
    std::vector<TailAnswer> behind;
  };
  /// A lane's: from its first delivery until its worker has nearly caught up.
  struct Turn {
    bool is_on = false;
    Wave* wave = nullptr;  ///< null: its part is over, and the worker has still to read
  };

  void begin_turns();
  bool go_on(std::size_t lane);
  void offer_next(Wave& wave, std::size_t lane);
  void end_turns();
  std::list<Wave>::iterator find(const RunId& run_id);

  const StreamTable& streams_;
  Lanes& lanes_;
  Offer offer_;
  End end_;
  std::list<Wave> waves_;    ///< the oldest first; of a run, one at most
  std::vector<Turn> turns_;  ///< by lane
};

}  // namespace gp::streaming
