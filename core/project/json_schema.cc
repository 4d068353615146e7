#include "core/project/json_schema.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/project/shown_fault.h"

// valijson's adapter knows nlohmann::json only, which sorts members; ours keep their order. So values are
// converted here, and nothing outside this file sees either library type.

namespace gp::project {

extern const std::string_view kProjectSchemaText;

namespace {

nlohmann::json to_sorted(const Json& value) { return nlohmann::json::parse(dump_json(value)); }

/// valijson names each step to a value "[name]" or "[index]" after a root. Whether a step is a member or an
/// index shows in the value itself: seat "1" is a member.
std::string path_to(const Json& root, const std::vector<std::string>& context) {
  std::string path;
  const Json* at = &root;
  for (std::size_t i = 1; i < context.size(); ++i) {
    const std::string_view step = std::string_view(context[i]).substr(1, context[i].size() - 2);
    const bool is_index = at != nullptr && at->is_array();
    if (is_index) {
      path += context[i];
    } else {
      path += (path.empty() ? "" : ".") + std::string(step);
    }
    if (at == nullptr) continue;
    if (is_index) {
      const auto index = std::stoul(std::string(step));
      at = index < at->size() ? &at->at(index) : nullptr;
    } else {
      at = at->is_object() && at->contains(step) ? &at->at(step) : nullptr;
    }
  }
  return path;
}

/// valijson repeats each fault at every level above it; only the innermost sentence says something.
bool is_repetition(std::string_view description) {
  constexpr std::array kOuter = {std::string_view("Failed to validate against"),
                                 std::string_view("Failed to validate item #")};
  return std::ranges::any_of(kOuter, [&](std::string_view start) { return description.starts_with(start); });
}

/// The text between the first and the last quote of `text`.
std::string text_in_quotes(std::string_view text) {
  const auto from = text.find('\'');
  const auto to = text.rfind('\'');
  return from < to ? std::string(text.substr(from + 1, to - from - 1)) : std::string();
}

/// Our words for the library's, in the form "<field> <problem>".
std::string problem_of(const std::string& description) {
  if (description.starts_with("Missing required property"))
    return "lacks '" + text_in_quotes(description) + "'";
  if (description.starts_with("Object contains a property")) {
    const auto colon = description.rfind(": '");
    return "must not have the member '" + description.substr(colon + 3, description.size() - colon - 5) + "'";
  }
  if (description.starts_with("Value type not permitted")) return "is of the wrong type";
  if (description.find("'pattern'") != std::string::npos) return "does not have the required form";
  if (description.find("enum") != std::string::npos) return "is not one of the allowed values";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kBeginnings = {{
      {"String should be ", "must be "},
      {"Array should contain ", "must have "},
      {"Object should have ", "must have "},
      {"Expected number ", "must be "},
  }};
  for (const auto& [theirs, ours] : kBeginnings) {
    if (description.starts_with(theirs)) return std::string(ours) + description.substr(theirs.size());
  }
  return description;
}

}  // namespace

struct JsonSchema::Impl {
  valijson::Schema schema;
};

JsonSchema::JsonSchema(const Json& schema) {
  try {
    auto impl = std::make_shared<Impl>();
    const nlohmann::json sorted = to_sorted(schema);
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(sorted), impl->schema);
    impl_ = std::move(impl);
  } catch (const std::exception& error) {
    throw Error(ErrorKind::kBug, std::string("the JSON Schema is broken: ") + error.what());
  }
}

std::vector<Fault> JsonSchema::check(const Json& value) const {
  const nlohmann::json sorted = to_sorted(value);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(impl_->schema, valijson::adapters::NlohmannJsonAdapter(sorted), &results)) return {};
  std::vector<Fault> faults;
  for (const auto& error : results) {
    if (is_repetition(error.description)) continue;
    Fault fault = shown_fault({path_to(value, error.context), problem_of(error.description)});
    if (std::ranges::find(faults, fault) == faults.end()) faults.push_back(std::move(fault));
    if (faults.size() == kMostFaultsShown) break;
  }
  if (faults.empty()) faults.push_back({"", "does not conform to the schema"});
  return faults;
}

const Json& project_schema() {
  static const Json schema = parse_json(kProjectSchemaText);
  return schema;
}

}  // namespace gp::project
