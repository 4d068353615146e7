#include "tests/bench/samples.h"

#include <algorithm>
#include <cmath>

namespace bench {

void Samples::add_ms(double ms) {
  ms_.push_back(ms);
  is_sorted_ = false;
}

void Samples::add(const Samples& others) {
  ms_.insert(ms_.end(), others.ms_.begin(), others.ms_.end());
  is_sorted_ = false;
}

double Samples::quantile(double q) const {
  if (ms_.empty()) return 0;
  if (!is_sorted_) std::ranges::sort(ms_);
  is_sorted_ = true;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(ms_.size())));
  return ms_[std::clamp<std::size_t>(rank, 1, ms_.size()) - 1];
}

}  // namespace bench
