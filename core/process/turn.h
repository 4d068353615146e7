#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace gp::process {

/// Which of a pool's processes takes the requests that wait, where what waits together is best answered
/// together: the one that is at it, as long as it comes back within kPatience and takes all there is.
/// Meanwhile the others leave them to it. It is a hint: none of them can keep another from work for longer,
/// not even by dying.
///
/// Memory that the processes share: make it before fork. Any process, any thread.
class Turn {
 public:
  static constexpr std::chrono::milliseconds kPatience{4};  ///< each of the others wakes once in it

  Turn();  ///< throws Error(kUnavailable) where there is no memory
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// The caller has taken all that waited, and is about to answer it.
  void begin() noexcept;
  /// It has, or there is more than it can take: whoever comes may go ahead.
  void end() noexcept;
  /// How long to leave what waits now to whoever is at it; 0: not at all.
  std::chrono::nanoseconds left() const noexcept;

 private:
  using Until =
      std::atomic<std::int64_t>;  ///< of the steady clock, which all processes share, in nanoseconds
  static_assert(Until::is_always_lock_free);
  Until* until_;
};

}  // namespace gp::process
