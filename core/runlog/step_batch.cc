#include "core/runlog/step_batch.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace gp::runlog {
namespace {

bool follows(const project::Step& next, const project::Step& step) {
  return next.token == step.token && next.event.id == step.event.id + 1 && !step.end;
}

}  // namespace

StepBatch::StepBatch(std::span<const project::Step> steps) : steps_(steps) {
  std::map<std::string_view, Places> by_run;
  for (std::size_t place = 0; place < steps.size(); ++place)
    by_run[steps[place].run_id.str()].push_back(place);
  for (auto& [run_id, places] : by_run) runs_.push_back(std::move(places));
}

std::size_t StepBatch::size() const noexcept {
  std::size_t count = 0;
  for (const Places& run : runs_) count += run.size();
  return count;
}

StepBatch StepBatch::without(const std::set<std::string>& runs) const {
  StepBatch others = *this;
  if (runs.empty()) return others;
  std::erase_if(others.runs_, [&](const Places& run) { return runs.contains(at(run.front()).run_id.str()); });
  return others;
}

bool StepBatch::is_regular() const {
  return std::ranges::all_of(runs_, [this](const Places& run) {
    const auto is_fault = [this](std::size_t place, std::size_t next) {
      return !follows(steps_[next], steps_[place]);
    };
    return std::ranges::adjacent_find(run, is_fault) == run.end();
  });
}

}  // namespace gp::runlog
