#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/runlog/event_reader.h"

namespace gp::streaming {

/// The most events of one run that one read gives, from either source; a run has some tens of events.
inline constexpr int kEventsPerRead = 200;

/// What one read of one run gave, from the log or from the host's replay cache.
struct TailAnswer {
  enum class Source : std::uint8_t { kLog, kReplay };

  runlog::Cursor asked;
  runlog::RunTail tail;
  Source source = Source::kLog;
  bool is_live = false;    ///< read because something new was announced, not to catch up
  bool is_full = false;    ///< as many events as one read gives: there may be more
  std::uint64_t read = 0;  ///< which of the log reader's reads gave it, from 1; 0: the cache

  /// Does this answer say all there is? The log does; the cache does of a complete run only, which can never
  /// get another event. Of any other run there may be more in the log than in the cache.
  bool is_authoritative() const noexcept {
    return source == Source::kLog || tail.standing == runlog::RunTail::Standing::kEnded;
  }
  /// May it say that a client's cursor lies beyond the end, that nothing is left, or that there is no such
  /// run? `reads_before` reads of the log had begun when the client came. What an older one found may have
  /// changed before the client asked: only a later read knows all that the client can know. A complete run
  /// stays as it is.
  bool is_verdict_after(std::uint64_t reads_before) const noexcept {
    return is_authoritative() && (source == Source::kReplay || read > reads_before);
  }
  /// The cursor of whoever has taken this answer's events. An empty answer of the log to a cursor beyond the
  /// end: the end.
  std::int64_t end() const noexcept;

  /// Takes over what `next`, of the same run, has, where both are the log's and `next` reads on from this
  /// one's end: they are one answer then. False, and nothing is moved, where they are not.
  bool join(TailAnswer& next);
};

/// What the reader threads have to tell the event loop, all since it last asked.
struct News {
  std::vector<TailAnswer> answers;
  bool is_log_available = true;
  std::optional<Error> end;  ///< why this process must end
};

/// The way from the reader threads to the event loop. Thread-safe; make it after fork.
class NewsBox {
 public:
  /// Throws Error(kUnavailable) where no descriptor is left.
  NewsBox();

  void tell(std::vector<TailAnswer> answers);
  void tell_availability(bool is_log_available);
  /// This process and the log do not fit each other.
  void tell_end(const Error& reason);

  /// Readable when take() has something new.
  int fd() const noexcept { return fd_.get(); }
  News take();

 private:
  UniqueFd fd_;
  std::mutex mutex_;
  News news_;  ///< guarded by mutex_
};

}  // namespace gp::streaming
