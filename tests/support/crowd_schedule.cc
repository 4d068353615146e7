#include "tests/support/crowd_schedule.h"

#include <algorithm>

namespace support {

using gp::SteadyTime;

namespace {

/// How far connecting may fall behind its rate and make up for it.
constexpr std::chrono::milliseconds kCatchUp{200};

}  // namespace

CrowdSchedule::CrowdSchedule(double connects_per_second)
    : period_(std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::duration<double>(1.0 / std::max(connects_per_second, 0.001)))) {}

void CrowdSchedule::add(std::size_t client) {
  if (newcomers_.empty()) next_newcomer_ = std::max(next_newcomer_, gp::steady_now());
  newcomers_.push(client);
}

std::optional<std::size_t> CrowdSchedule::next_newcomer(SteadyTime now) {
  if (newcomers_.empty() || next_newcomer_ > now) return std::nullopt;
  next_newcomer_ = std::max(next_newcomer_, now - kCatchUp) + period_;
  const std::size_t client = newcomers_.front();
  newcomers_.pop();
  return client;
}

std::optional<std::size_t> CrowdSchedule::next_return(SteadyTime now) {
  if (returns_.empty() || returns_.top().time > now) return std::nullopt;
  const std::size_t client = returns_.top().client;
  returns_.pop();
  return client;
}

SteadyTime CrowdSchedule::next_time(SteadyTime latest) const {
  if (!newcomers_.empty()) latest = std::min(latest, next_newcomer_);
  if (!returns_.empty()) latest = std::min(latest, returns_.top().time);
  return latest;
}

}  // namespace support
