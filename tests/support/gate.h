#pragma once

#include <condition_variable>
#include <mutex>

namespace support {

/// Whoever passes waits while it is held. Any thread.
class Gate {
 public:
  void hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    released_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !is_held_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool is_held_ = false;
};

}  // namespace support
