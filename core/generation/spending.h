#pragma once

#include <cstdint>
#include <optional>

#include "core/project/step.h"

namespace gp::generation {

/// What the calls of an attempt, all its takes together, have used, added up. A sum with a part that is
/// unknown is unknown: tokens -1, cost nothing - never less than was paid.
class Spending {
 public:
  /// `cost_usd`: nothing where it is unknown.
  void add(const project::Usage& call, std::optional<double> cost_usd) {
    add_tokens(usage_.prompt_tokens, call.prompt_tokens);
    add_tokens(usage_.completion_tokens, call.completion_tokens);
    usage_.cached_tokens += call.cached_tokens;
    cost_usd_ = (cost_usd && cost_usd_) ? std::optional(*cost_usd_ + *cost_usd) : std::nullopt;
  }

  /// There was a call of which nothing is known.
  void add_unknown() { add(project::Usage{}, std::nullopt); }

  const project::Usage& usage() const noexcept { return usage_; }
  std::optional<double> cost_usd() const noexcept { return cost_usd_; }

 private:
  static void add_tokens(std::int64_t& sum, std::int64_t more) {
    sum = (sum < 0 || more < 0) ? -1 : sum + more;
  }

  project::Usage usage_{0, 0, 0};
  std::optional<double> cost_usd_ = 0.0;
};

}  // namespace gp::generation
