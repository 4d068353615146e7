#include "core/generation/overflow.h"

#include <algorithm>
#include <iterator>

namespace gp::generation {

bool Overflow::follow(const project::Step& step) {
  const std::lock_guard lock(mutex_);
  const bool is_behind = std::ranges::find(waiting_, step.run_id, &project::Step::run_id) != waiting_.end();
  if (is_behind) {
    waiting_.push_back(step);
  } else {
    ++spooled_[step.token.str()];
  }
  return is_behind;
}

void Overflow::keep(const project::Step& step) {
  const std::lock_guard lock(mutex_);
  uncount(step);
  waiting_.push_back(step);
}

bool Overflow::has_undecided(const LeaseToken& token) const {
  const std::lock_guard lock(mutex_);
  return spooled_.contains(token.str()) ||
         std::ranges::find(waiting_, token, &project::Step::token) != waiting_.end();
}

std::size_t Overflow::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

Overflow::Taken Overflow::look(const Choice& choice) const {
  Taken taken;
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < choice.count && taken.steps.size() < choice.most; ++place) {
    const project::Step& step = waiting_[place];
    if (std::ranges::find(choice.beside, step.run_id.str()) != choice.beside.end()) continue;
    if (choice.is_spool_unread && spooled_.contains(step.token.str())) continue;
    taken.places.push_back(place);
    taken.steps.push_back(step);
  }
  return taken;
}

void Overflow::remove(std::span<const std::size_t> places) {
  const std::lock_guard lock(mutex_);
  for (auto place = places.rbegin(); place != places.rend(); ++place)
    waiting_.erase(std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(*place)));
}

void Overflow::forget_spooled(const project::Step& step) {
  const std::lock_guard lock(mutex_);
  uncount(step);
}

void Overflow::uncount(const project::Step& step) {
  const auto found = spooled_.find(step.token.str());
  if (found != spooled_.end() && --found->second == 0) spooled_.erase(found);
}

}  // namespace gp::generation
