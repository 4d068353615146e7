#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/base/clock.h"

namespace gp {

/// A value that is fetched from somewhere that may take long, or for ever. Who asks gets one that is at most
/// `max_age` old, and never waits longer than `patience` for it: while a fetch hangs the first asker waits
/// that long, and those after it not at all. However many ask, one fetch runs at a time, in a thread of its
/// own.
///
/// Any thread may ask. Make it after fork. Its destruction does not wait for a fetch that hangs: the thread
/// is left to itself and must not use what the caller destroys then, so `fetch` owns what it needs.
template <class Value>
class Refreshed {
 public:
  using Fetch = std::function<Value()>;  ///< does not throw

  Refreshed(Fetch fetch, std::chrono::milliseconds max_age, std::chrono::milliseconds patience)
      : max_age_(max_age), patience_(patience), state_(std::make_shared<State>()) {
    std::thread([state = state_, fetch = std::move(fetch)] { run(*state, fetch); }).detach();
  }
  ~Refreshed() {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
    state_->changed.notify_all();
  }
  Refreshed(const Refreshed&) = delete;
  Refreshed& operator=(const Refreshed&) = delete;

  /// Nothing where the fetch has not ended in time.
  std::optional<Value> get() {
    std::unique_lock lock(state_->mutex);
    if (state_->value && steady_now() - state_->fetched <= max_age_) return state_->value;
    if (!state_->wanted) {
      state_->wanted = steady_now();
      state_->changed.notify_all();
    }
    const bool is_there = state_->changed.wait_until(lock, *state_->wanted + patience_,
                                                     [this] { return !state_->wanted.has_value(); });
    return is_there ? state_->value : std::nullopt;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Value> value;  ///< guarded by mutex, as all below
    SteadyTime fetched{};
    std::optional<SteadyTime> wanted;  ///< a fetch is asked for since then, and has not ended
    bool is_ending = false;
  };

  static void run(State& state, const Fetch& fetch) {
    std::unique_lock lock(state.mutex);
    while (true) {
      state.changed.wait(lock, [&] { return state.is_ending || state.wanted; });
      if (state.is_ending) return;
      lock.unlock();
      Value value = fetch();
      lock.lock();
      state.value = std::move(value);
      state.fetched = steady_now();
      state.wanted.reset();
      state.changed.notify_all();
    }
  }

  std::chrono::milliseconds max_age_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<State> state_;  ///< owned by this object and by its thread, whichever lasts longer
};

}  // namespace gp
