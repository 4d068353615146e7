#include "core/generation/lease_watch.h"

#include <utility>

namespace gp::generation {
namespace {

constexpr std::chrono::seconds kPatience{60};

}  // namespace

LeaseWatch::LeaseWatch(LeaseBook& book, LeaseBook::SharedFlags flags, std::chrono::milliseconds longest_gap,
                       std::function<void()> ring)
    : book_(book), flags_(std::move(flags)), longest_gap_(longest_gap), ring_(std::move(ring)) {}

bool LeaseWatch::is_lost() {
  const SteadyTime now = steady_now();
  if (now - std::exchange(last_look_, now) > longest_gap_ && !flags_->is_lost) {
    book_.confirm(ring_, kPatience);
    last_look_ = steady_now();
  }
  return flags_->is_lost;
}

}  // namespace gp::generation
