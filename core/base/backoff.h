#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace gp {

/// Exponential back-off with full upper half jitter: the n-th wait is uniform in [d/2, d], d = min(first *
/// 2^n, most). One thread only. Its random state is made where the object is made, so make it after fork.
class Backoff {
 public:
  using Millis = std::chrono::milliseconds;

  Backoff(Millis first, Millis most)
      : first_(first), most_(most), next_(first), random_(std::random_device{}()) {}

  /// The time to wait before the next try; each call doubles the one after it.
  Millis next() {
    const Millis whole = next_;
    next_ = std::min(next_ * 2, most_);
    return Millis(std::uniform_int_distribution<Millis::rep>(whole.count() / 2, whole.count())(random_));
  }
  /// After a success: the next wait is the first one again.
  void reset() { next_ = first_; }

 private:
  Millis first_;
  Millis most_;
  Millis next_;
  std::minstd_rand random_;
};

}  // namespace gp
