#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace sim {

/// What the user's message of generate-project asks for. Anything else in it is ignored.
struct Inputs {
  std::string topic = "Fractions";
  std::string life_skill = "Problem Solving";
  int group_size = 3;
  int duration_min = 45;
  bool uae_context = true;
  std::vector<std::string> section_ids;
  std::vector<std::string> wanted;
  bool has_plan = false;

  /// Nothing where the message is not such an object: the writer then invents by the schema alone.
  static std::optional<Inputs> from(const std::string& user_message);
};

/// The simulated model's ideas: a market project whose numbers are drawn from the seed and whose answer keys
/// are computed from them. The same seed and inputs give the same project.
class Author {
 public:
  Author(Inputs inputs, std::uint64_t seed);

  const Inputs& inputs() const noexcept { return inputs_; }

  /// proj.v1's plan, with lists of {key, value} where the response schema has them.
  gp::Json plan() const;
  gp::Json section(const std::string& id) const;

 private:
  struct Stall {
    std::string name;
    int pieces = 0;         ///< in one pack
    int unit_quarters = 0;  ///< price of a piece in quarters of a dirham
    int visitors = 0;
    int discount_pct = 0;
  };
  struct Slot {
    std::string name;  ///< "Launch" ...
    int minutes = 0;
  };

  Slot slot_of(const std::string& id) const;
  std::string currency() const;
  std::string answer_key() const;
  gp::Json teacher(const Slot& slot) const;
  gp::Json shared(const Slot& slot) const;
  gp::Json seat(const Slot& slot, int number) const;

  Inputs inputs_;
  std::vector<Stall> stalls_;
};

}  // namespace sim
