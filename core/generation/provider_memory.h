#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "core/llm/chat_call.h"

namespace gp::generation {

/// What this worker process has learnt about its provider: optional parameters it refuses. Each is refused
/// once, not once a run. Thread-safe.
class ProviderMemory {
 public:
  llm::CallParameters parameters_for(const std::string& model) const {
    const std::lock_guard lock(mutex_);
    return {model, dropped_};
  }

  /// False where the parameter was dropped before: the provider complains of something else.
  bool drop(const std::string& parameter) {
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(dropped_, parameter) != dropped_.end()) return false;
    dropped_.push_back(parameter);
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> dropped_;
};

}  // namespace gp::generation
