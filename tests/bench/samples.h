#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Times that were measured, in milliseconds, and what can be said about them. One thread.
class Samples {
 public:
  void add(std::chrono::nanoseconds time) { add_ms(std::chrono::duration<double, std::milli>(time).count()); }
  void add_ms(double ms);
  void add(const Samples& others);

  std::size_t count() const noexcept { return ms_.size(); }
  double quantile(double q) const;  ///< 0.5: the median; 0 where there are none
  double max() const { return quantile(1.0); }

 private:
  mutable std::vector<double> ms_;
  mutable bool is_sorted_ = true;
};

/// `count` in a second. What took less counts as a millisecond, so that there is a figure where nothing
/// happened.
inline double per_second(std::uint64_t count, std::chrono::duration<double> took) {
  return static_cast<double>(count) / std::max(took.count(), 0.001);
}

}  // namespace bench
