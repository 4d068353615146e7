#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "core/base/clock.h"

namespace gp::generation {

/// Keeps a worker process's runs from hammering a provider that is down (the circuit breaker pattern).
///
/// Closed: every call goes ahead. After `failures_to_open` calls in a row without a byte of an answer it is
/// open: no call for `first_rest`, then one call on trial. A trial that fails doubles the rest, up to
/// `longest_rest`; a call that gets through closes it. A provider that is there and asks for patience (429)
/// is not down: that opens nothing and fails no trial. Thread-safe.
class CircuitBreaker {
 public:
  struct Options {
    int failures_to_open = 10;
    SteadyTime::duration first_rest = std::chrono::seconds(5);
    SteadyTime::duration longest_rest = std::chrono::seconds(60);
  };

  /// The right to make one call. One that ends without a word (the run was stopped) leaves everything as it
  /// was. The breaker outlives it.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)), is_trial_(other.is_trial_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();

    void succeed();  ///< the provider has begun to answer
    void fail();     ///< it has not: no connection, an error of the server's, silence
    /// It asks to be left alone for `wait` (nothing: it does not say how long). Leaves everything as it was,
    /// but for the next trial, which comes after that time, `longest_rest` at most.
    void postpone(std::optional<SteadyTime::duration> wait);

   private:
    friend class CircuitBreaker;
    Permit(CircuitBreaker& breaker, bool is_trial) : breaker_(&breaker), is_trial_(is_trial) {}

    CircuitBreaker* breaker_;  ///< null once the outcome is told
    bool is_trial_;
  };

  explicit CircuitBreaker(Options options) : options_(options), rest_(options.first_rest) {}

  /// Waits while the breaker is open. Nothing where a trial has failed meanwhile - the provider is still
  /// down, and the caller should give up - or once `should_stop` says so (asked every 50 ms).
  std::optional<Permit> wait_for_permit(const std::function<bool()>& should_stop);

 private:
  bool may_call() const;
  void settle(bool is_trial, std::optional<bool> has_succeeded);
  void postpone(bool is_trial, std::optional<SteadyTime::duration> wait);
  void open();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int failures_ = 0;  ///< in a row; guarded by mutex_, as the rest
  bool is_open_ = false;
  bool is_on_trial_ = false;
  std::uint64_t failed_trials_ = 0;
  SteadyTime::duration rest_;
  SteadyTime rest_until_{};
};

}  // namespace gp::generation
