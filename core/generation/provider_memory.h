#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/llm/call_body.h"

namespace gp::generation {

/// What this worker process has learnt about its provider: optional parameters that a model refuses. Each is
/// refused by the calls that are under way at that moment, not by one call of every run. Thread-safe.
class ProviderMemory {
 public:
  llm::CallParameters parameters_for(const std::string& model) const {
    const std::lock_guard lock(mutex_);
    const auto known = dropped_.find(model);
    return {model, known == dropped_.end() ? std::vector<std::string>() : known->second};
  }

  /// A call made with `sent` was refused for `parameter`. False where it was made without that one: the
  /// provider complains of something else. Whether another run has learnt the same meanwhile does not matter.
  bool drop(const llm::CallParameters& sent, const std::string& parameter) {
    if (std::ranges::find(sent.dropped, parameter) != sent.dropped.end()) return false;
    const std::lock_guard lock(mutex_);
    std::vector<std::string>& dropped = dropped_[sent.model];
    if (std::ranges::find(dropped, parameter) == dropped.end()) dropped.push_back(parameter);
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> dropped_;  ///< by model
};

}  // namespace gp::generation
