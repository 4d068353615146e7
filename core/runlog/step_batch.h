#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/project/step.h"

namespace gp::runlog {

/// Steps of several runs as they are written: run by run, in the order in which rows are locked everywhere
/// (by run id, whose text sorts like PostgreSQL's uuid). Borrows the steps. Pure.
class StepBatch {
 public:
  using Places = std::vector<std::size_t>;  ///< of one run's steps within the batch, in order

  explicit StepBatch(std::span<const project::Step> steps);

  const std::vector<Places>& runs() const noexcept { return runs_; }
  const project::Step& at(std::size_t place) const { return steps_[place]; }
  std::size_t size() const noexcept;  ///< how many steps runs() has

  /// The same steps, by the same places, but for those of `runs`.
  StepBatch without(const std::set<std::string>& runs) const;

  /// Has each run one token, ids without gap, and nothing after its end? What an outbox holds nearly always
  /// has.
  bool is_regular() const;

 private:
  std::span<const project::Step> steps_;
  std::vector<Places> runs_;
};

}  // namespace gp::runlog
