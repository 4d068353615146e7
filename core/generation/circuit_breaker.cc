#include "core/generation/circuit_breaker.h"

#include <algorithm>
#include <chrono>

namespace gp::generation {
namespace {

constexpr std::chrono::milliseconds kStopCheck{50};

}  // namespace

CircuitBreaker::Permit::~Permit() {
  if (breaker_ != nullptr) breaker_->settle(is_trial_, std::nullopt);
}

void CircuitBreaker::Permit::succeed() {
  if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->settle(is_trial_, true);
}

void CircuitBreaker::Permit::fail() {
  if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->settle(is_trial_, false);
}

void CircuitBreaker::Permit::postpone(std::optional<SteadyTime::duration> wait) {
  if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->postpone(is_trial_, wait);
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::wait_for_permit(
    const std::function<bool()>& should_stop) {
  std::unique_lock lock(mutex_);
  const std::uint64_t failed_before = failed_trials_;
  while (!may_call()) {
    if (failed_trials_ != failed_before || should_stop()) return std::nullopt;
    changed_.wait_for(lock, kStopCheck);
  }
  is_on_trial_ = is_open_;
  return Permit(*this, is_open_);
}

bool CircuitBreaker::may_call() const { return !is_open_ || (!is_on_trial_ && steady_now() >= rest_until_); }

void CircuitBreaker::settle(bool is_trial, std::optional<bool> has_succeeded) {
  const std::lock_guard lock(mutex_);
  if (is_trial) is_on_trial_ = false;
  if (has_succeeded == true) {
    failures_ = 0;
    is_open_ = false;
    rest_ = options_.first_rest;
  } else if (has_succeeded == false) {
    ++failures_;
    if (is_trial) {
      ++failed_trials_;
      rest_ = std::min(rest_ * 2, options_.longest_rest);
      open();
    } else if (!is_open_ && failures_ >= options_.failures_to_open) {
      open();
    }
  }
  changed_.notify_all();
}

void CircuitBreaker::postpone(bool is_trial, std::optional<SteadyTime::duration> wait) {
  const std::lock_guard lock(mutex_);
  if (!is_trial) return;
  is_on_trial_ = false;
  rest_until_ = steady_now() + std::min(wait.value_or(rest_), options_.longest_rest);
  changed_.notify_all();
}

void CircuitBreaker::open() {
  is_open_ = true;
  rest_until_ = steady_now() + rest_;
}

}  // namespace gp::generation
