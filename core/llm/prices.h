#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/project/step.h"

namespace gp::llm {

/// USD per million tokens.
struct Price {
  double input = 0;
  double cached_input = 0;
  double output = 0;
};

/// What models cost: the table built in (core/llm/prices.json), or the file that PRICES_FILE names instead.
class PriceTable {
 public:
  /// Throws Error(kBadInput) naming the file, the model and the fault. Empty path: the built-in table.
  static PriceTable load(const std::string& path);

  /// The cost of one call, or nothing where the model or the token counts are unknown - never 0 instead. A
  /// model is found by its exact name, else without a trailing -YYYY-MM-DD, else without a leading
  /// "provider/".
  std::optional<double> cost_usd(const std::string& model, const project::Usage& usage) const;

 private:
  std::map<std::string, Price> prices_;
};

}  // namespace gp::llm
