#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "core/base/clock.h"

namespace support {

/// Waits for a condition, which is asked for twenty times a second; false where it does not hold within
/// `patience`.
inline bool wait_until(const std::function<bool()>& holds, std::chrono::seconds patience) {
  const auto deadline = gp::steady_now() + patience;
  while (!holds()) {
    if (gp::steady_now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace support
