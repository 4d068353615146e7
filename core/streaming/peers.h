#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <sys/types.h>

#include "core/base/clock.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_table.h"

namespace gp::streaming {

/// The process at the other end of many streams' connections: an nginx worker. It reads its connections one
/// after the other, in the order in which something came, and passes each delivery on: whatever waits there
/// waits for all of them, /health and /start too. So very many deliveries are made in parts, and a part
/// follows when the worker has read most of the last one. What it has read shows at marks: now and then the
/// stream that was just given something is remembered, and its socket asked later whether anything is left.
/// The event loop's thread only.
class Peer {
 public:
  /// As many deliveries as may lie unread before a worker: some 5 ms of its time. Fewer make it run dry while
  /// this process sleeps or waits for a core, more only make everything else wait (tests/bench/README.md).
  static constexpr std::size_t kMostUnread = 256;
  static constexpr std::size_t kStride = 16;  ///< deliveries from one mark to the next
  /// What nginx reads at once (fastcgi_buffer_size): a delivery of more is as much work as several.
  static constexpr std::size_t kOneRead = 1536;

  /// Gives `stream`, which is one of its, the next events by `give`, some `bytes`, and counts that.
  template <class Give>
  void give(Stream& stream, std::size_t bytes, const Give& give) {
    since_mark_ += 1 + bytes / kOneRead;
    const bool is_mark = since_mark_ >= kStride && !has_unread(stream.fd.get());
    const std::int64_t cursor = stream.cursor;
    give();
    if (is_mark && stream.cursor > cursor && !stream.is_behind()) set_mark(stream.fd.get());
  }

  /// From now on little may lie unread at first, then twice as much after each look, up to kMostUnread: what
  /// the worker has taken on meanwhile does not wait for that many.
  void begin_turn() noexcept { most_marks_ = 1; }

  /// Has it as many deliveries before it, unread, as it may have? Clients that read nothing do not count: a
  /// mark that stays unread while a later one is read is one of those, as are all that stay so for kPatience.
  bool has_enough(const StreamTable& streams);

  /// Has it read all but a few?
  bool has_caught_up(const StreamTable& streams);

 private:
  static constexpr std::chrono::milliseconds kPatience{250};
  static constexpr std::size_t kMarks = kMostUnread / kStride;
  static constexpr std::size_t kFewMarks = 2;

  struct Mark {
    int fd = -1;  ///< of a stream from which everything had been read when it was given more
    SteadyTime set;
  };

  static bool has_unread(int fd);
  void set_mark(int fd);
  void forget_read_marks(const StreamTable& streams);

  std::size_t since_mark_ = 0;
  std::size_t most_marks_ = kMarks;
  std::deque<Mark> marks_;  ///< the oldest first
};

/// Which process made the connection, of a unix socket; 0 where the kernel does not tell.
pid_t pid_of_peer(int fd);

/// The peers of all streams. The event loop's thread only.
class Peers {
 public:
  /// The number of the peer for one more connection of the process `pid`; it must leave it when it ends.
  std::uint16_t join(pid_t pid);
  void leave(std::uint16_t peer) { --peers_[peer].streams; }

  Peer& at(std::size_t peer) { return peers_[peer].peer; }
  std::size_t size() const noexcept { return peers_.size(); }
  /// Those with streams.
  std::size_t in_use() const;

 private:
  struct Entry {
    pid_t pid = 0;
    std::size_t streams = 0;
    Peer peer;
  };
  std::vector<Entry> peers_;  ///< by number; one whose streams have all gone is another process's next
};

}  // namespace gp::streaming
