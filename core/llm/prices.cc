#include "core/llm/prices.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <re2/re2.h>

#include "core/base/error.h"
#include "core/base/json.h"

namespace gp::llm {

extern const std::string_view kPricesText;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::kBadInput, fmt::format("the price table {} cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

double price_member(const Json& entry, const char* member, const std::string& name,
                    const std::string& model) {
  if (entry.is_object() && entry.contains(member) && entry.at(member).is_number()) {
    const double value = entry.at(member).get<double>();
    if (std::isfinite(value) && value >= 0) return value;
  }
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: model '{}' needs the member '{}', a number of USD per million tokens from 0",
                          name, model, member));
}

}  // namespace

PriceTable PriceTable::load(const std::string& path) {
  const std::string name = path.empty() ? "the built-in price table" : "the price table " + path;
  Json table;
  try {
    table = parse_json(path.empty() ? std::string(kPricesText) : read_file(path));
  } catch (const Error& error) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name, error.what()));
  }
  if (!table.is_object()) {
    throw Error(ErrorKind::kBadInput, name + ": must be a JSON object with one member for each model");
  }
  PriceTable prices;
  for (const auto& [model, entry] : table.items()) {
    Price price{.input = price_member(entry, "input", name, model),
                .cached_input = 0,
                .output = price_member(entry, "output", name, model)};
    price.cached_input =
        entry.contains("cached_input") ? price_member(entry, "cached_input", name, model) : price.input;
    prices.prices_[model] = price;
  }
  return prices;
}

std::optional<double> PriceTable::cost_usd(const std::string& model, const project::Usage& usage) const {
  if (usage.prompt_tokens < 0 || usage.completion_tokens < 0) return std::nullopt;
  static const RE2 date_suffix(R"(-\d{4}-\d{2}-\d{2}$)");
  std::string name = model;
  auto found = prices_.find(name);
  if (found == prices_.end()) {
    RE2::Replace(&name, date_suffix, "");
    found = prices_.find(name);
  }
  if (found == prices_.end() && name.find('/') != std::string::npos) {
    found = prices_.find(name.substr(name.rfind('/') + 1));
  }
  if (found == prices_.end()) return std::nullopt;
  const Price& price = found->second;
  const auto tokens = [](std::int64_t count) { return static_cast<double>(count); };
  return (tokens(usage.prompt_tokens - usage.cached_tokens) * price.input +
          tokens(usage.cached_tokens) * price.cached_input + tokens(usage.completion_tokens) * price.output) /
         1e6;
}

}  // namespace gp::llm
