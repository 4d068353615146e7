#include "tests/support/sim_llm/author.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"

namespace sim {
namespace {

using gp::Json;

struct Entry {
  std::string key;
  std::string value;
};

Json entries(const std::vector<Entry>& list) {
  Json result = Json::array();
  for (const Entry& entry : list) result.push_back({{"key", entry.key}, {"value", entry.value}});
  return result;
}

Json part(const std::string& objective, const std::vector<std::string>& steps, const std::vector<Entry>& data,
          const std::vector<Entry>& extras) {
  return {{"objective", objective}, {"steps", steps}, {"data", entries(data)}, {"extras", entries(extras)}};
}

std::string money(int quarters) { return fmt::format("{}.{:02}", quarters / 4, quarters % 4 * 25); }

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> result;
  for (const Json& item : list) result.push_back(item.get<std::string>());
  return result;
}

std::vector<std::string> names_for(std::size_t count) {
  if (count <= 2) return {"Launch", "CoreTask"};
  if (count == 3) return {"Launch", "CoreTask", "Product"};
  if (count == 4) return {"Launch", "CoreTask", "CrossCheck", "Product"};
  return {"Launch", "CoreTask", "CrossCheck", "Product", "Reflect"};
}

int weight_of(const std::string& name) {
  if (name == "CoreTask") return 5;
  return name == "Product" ? 3 : 2;
}

}  // namespace

std::optional<Inputs> Inputs::from(const std::string& user_message) {
  try {
    const Json json = gp::parse_json(user_message);
    Inputs inputs;
    inputs.topic = json.at("topic").get<std::string>();
    inputs.life_skill = json.at("life_skill").get<std::string>();
    inputs.group_size = json.at("group_size").get<int>();
    inputs.duration_min = json.at("duration_min").get<int>();
    inputs.uae_context = json.value("uae_context", true);
    inputs.section_ids = strings(json.at("sections"));
    inputs.wanted = strings(json.at("wanted"));
    inputs.has_plan = json.contains("plan");
    return inputs;
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const gp::Error&) {
    return std::nullopt;
  }
}

Author::Author(Inputs inputs, std::uint64_t seed) : inputs_(std::move(inputs)) {
  for (const char c : inputs_.topic + inputs_.life_skill) seed = seed * 131 + static_cast<unsigned char>(c);
  std::mt19937_64 random(seed);
  std::array<int, 12> prices{};  // all different, so that one stall is the cheapest
  for (int i = 0; i < 12; ++i) prices[static_cast<std::size_t>(i)] = 5 + i;
  std::shuffle(prices.begin(), prices.end(), random);
  constexpr std::array kPieces = {4, 5, 6, 8, 10, 12};
  for (int i = 0; i < std::max(2, inputs_.group_size); ++i) {
    stalls_.push_back({.name = fmt::format("stall {}", static_cast<char>('A' + i)),
                       .pieces = kPieces[random() % kPieces.size()],
                       .unit_quarters = prices[static_cast<std::size_t>(i)],
                       .visitors = 40 + static_cast<int>(random() % 12) * 10 + i,
                       .discount_pct = 5 * (1 + static_cast<int>(random() % 5))});
  }
}

std::string Author::currency() const { return inputs_.uae_context ? "AED" : "coins"; }

Author::Slot Author::slot_of(const std::string& id) const {
  const auto names = names_for(inputs_.section_ids.size());
  int weights = 0;
  for (const std::string& name : names) weights += weight_of(name);
  const auto found = std::ranges::find(inputs_.section_ids, id);
  const auto index =
      std::min<std::size_t>(names.size() - 1, static_cast<std::size_t>(found - inputs_.section_ids.begin()));
  const int minutes = inputs_.duration_min * 9 * weight_of(names[index]) / (10 * weights);
  return {names[index], std::max(1, minutes)};
}

Json Author::plan() const {
  Json roles = Json::array({"teacher", "shared"});
  for (int seat = 1; seat <= inputs_.group_size; ++seat) roles.push_back(fmt::format("seat_{}", seat));
  Json sections = Json::array();
  for (const std::string& id : inputs_.section_ids) {
    const Slot slot = slot_of(id);
    Json criteria = Json::array();
    if (slot.name == "Launch") {
      criteria.push_back(
          {{"metric", "estimates_written_count"}, {"target_op", "=="}, {"target_value", inputs_.group_size}});
    } else {
      criteria.push_back({{"metric", "price_error_pct"}, {"target_op", "<="}, {"target_value", 0.02}});
      criteria.push_back(
          {{"metric", "stalls_compared_count"}, {"target_op", ">="}, {"target_value", inputs_.group_size}});
    }
    sections.push_back(
        {{"id", id},
         {"name", slot.name},
         {"math_objective", fmt::format("Use {} to compare unit prices", inputs_.topic)},
         {"constraints", {{"time_min", slot.minutes}, {"materials", {"paper", "ruler", "calculator"}}}},
         {"success_criteria", criteria},
         {"roles", roles}});
  }
  return {{"sections", sections}};
}

Json Author::section(const std::string& id) const {
  const Slot slot = slot_of(id);
  Json seats = Json::object();
  for (int number = 1; number <= inputs_.group_size; ++number)
    seats[std::to_string(number)] = seat(slot, number);
  return {{"teacher", teacher(slot)}, {"shared", shared(slot)}, {"seats", seats}};
}

std::string Author::answer_key() const {
  std::string key;
  const Stall* best = &stalls_.front();
  for (const Stall& stall : stalls_) {
    if (stall.unit_quarters < best->unit_quarters) best = &stall;
    key += fmt::format("{}: {} / {} = {} {} a piece. ", stall.name, money(stall.unit_quarters * stall.pieces),
                       stall.pieces, money(stall.unit_quarters), currency());
  }
  return key + fmt::format("Cheapest: {}.", best->name);
}

Json Author::teacher(const Slot& slot) const {
  return part(
      fmt::format("Lead the {} so that every seat speaks and {} is practised", slot.name, inputs_.life_skill),
      {fmt::format("Minutes 0-{}: read the common task aloud and hand out the seat cards",
                   std::max(1, slot.minutes / 4)),
       fmt::format("Until minute {}: let the groups work; listen for a unit named with every price",
                   slot.minutes * 3 / 4),
       "Ask a group that is stuck: what does one piece cost at your stall?",
       fmt::format("Last minutes: collect one sentence from each group about {}", inputs_.life_skill)},
      {{"answer_key", answer_key()}},
      {{"misconception", "The lowest pack price is not always the lowest price of a piece: divide first"},
       {"extension", "How large must a pack be for the second cheapest stall to win?"}});
}

Json Author::shared(const Slot& slot) const {
  return part(
      fmt::format("Agree which stall gives the best offer and show why with {}", inputs_.topic),
      {"Write down an estimate before you calculate \xF0\x9F\x98\x80",
       "Each seat tells one price; fill in one row of the table for each stall",
       fmt::format("Decide together: this is where you need {}", inputs_.life_skill),
       "Check one row of another seat with a different method"},
      {{"driving_question", inputs_.uae_context ? "Where should the school buy dates for the souq day?"
                                                : "Where should the class buy fruit for the fair?"},
       {"table", "stall | price of a pack | pieces | price of a piece"}},
      {{"product", fmt::format("One poster with the table of the {} and your recommendation", slot.name)}});
}

Json Author::seat(const Slot& slot, int number) const {
  const Stall& stall = stalls_[static_cast<std::size_t>(number - 1)];
  std::vector<Entry> data = {{"stall", stall.name}};
  if (slot.name == "Launch") {
    data.push_back({"visitors_yesterday", std::to_string(stall.visitors)});
  } else {
    data.push_back({"pack_price", money(stall.unit_quarters * stall.pieces) + " " + currency()});
    data.push_back({"pieces_in_pack", std::to_string(stall.pieces)});
    data.push_back({"discount_from_ten_packs", fmt::format("{} %", stall.discount_pct)});
  }
  return part(fmt::format("You know {} and nobody else does", stall.name),
              {"Read your card and keep it to yourself at first",
               slot.name == "Launch" ? "Estimate what one piece costs at your stall"
                                     : "Divide the price of the pack by the number of pieces",
               "Tell the group your result with its unit and how you found it"},
              data, {{"hint", "Round to the nearest 0.25"}});
}

}  // namespace sim
