#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/streaming/delivery.h"
#include "core/streaming/news.h"
#include "core/streaming/peers.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_table.h"

namespace gp::streaming {

/// Answers on their way to very many streams, each in parts: to every peer as many at a time as it is ready
/// for, and never to all peers at once: one worker has nothing before it, and takes what else nginx is
/// asked. What comes for a run meanwhile waits behind its wave, because a stream that has not had the first
/// events cannot take the next; reads that go on from each other are one answer then, so a peer that cannot
/// keep up is given more at once instead of falling behind. The event loop's thread only.
class Waves {
 public:
  /// Offers the answer to the stream, which follows its run.
  using Offer = std::function<void(Stream&, const TailAnswer&, Delivery&)>;
  /// The answer was offered to all for whom it was begun and who are still there.
  using End = std::function<void(TailAnswer&, const Delivery&)>;

  /// `streams` and `peers` outlive it.
  Waves(const StreamTable& streams, Peers& peers, Offer offer, End end)
      : streams_(streams), peers_(peers), offer_(std::move(offer)), end_(std::move(end)) {}

  /// For `to`, some of the streams of its run, which has no wave. Sends nothing yet. Throws Error(kBug) where
  /// an event cannot be rendered; the answer is lost then.
  void begin(TailAnswer&& answer, std::span<Stream* const> to);

  /// Where a wave of its run is on its way: takes the answer to wait behind it. Else false, and nothing is
  /// moved.
  bool put_behind(TailAnswer& answer);

  /// Sends what the peers are ready for. Returns what waited behind the waves that have ended, in order; it
  /// has still to be delivered.
  std::vector<TailAnswer> advance();

  /// Nothing is on its way.
  bool empty() const noexcept { return waves_.empty(); }

 private:
  struct Part {
    std::vector<int> fds;  ///< of the streams of one peer
    std::size_t next = 0;
    bool is_over() const { return next == fds.size(); }
  };
  struct Wave {
    Wave(TailAnswer&& given, std::size_t peers);
    bool is_over() const;
    TailAnswer answer;
    Delivery delivery;
    std::vector<Part> parts;  ///< by peer
    std::vector<TailAnswer> behind;
  };
  /// A peer's: from its first delivery until it has nearly caught up.
  struct Turn {
    bool is_on = false;
    Wave* wave = nullptr;  ///< null: its part is over, and it has still to read
  };

  void begin_turns();
  bool go_on(std::size_t peer);
  void offer_next(Wave& wave, std::size_t peer);
  void end_turns();
  std::list<Wave>::iterator find(const RunId& run_id);

  const StreamTable& streams_;
  Peers& peers_;
  Offer offer_;
  End end_;
  std::list<Wave> waves_;    ///< the oldest first; of a run, one at most
  std::vector<Turn> turns_;  ///< by peer
};

}  // namespace gp::streaming
