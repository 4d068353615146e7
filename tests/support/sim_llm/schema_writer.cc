#include "tests/support/sim_llm/schema_writer.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace sim {
namespace {

using gp::Json;

const Json& resolved(const Json& schema, const Json& root) {
  const Json* at = &schema;
  while (at->contains("$ref")) {
    at = &root.at(Json::json_pointer(at->at("$ref").get<std::string>().substr(1)));
  }
  return *at;
}

std::string type_of(const Json& schema) {
  if (!schema.contains("type")) return {};
  const Json& type = schema.at("type");
  return type.is_array() ? type.front().get<std::string>() : type.get<std::string>();
}

/// A reference: what a range-for walks over must outlive it.
const Json& properties_of(const Json& schema) {
  static const Json none = Json::object();
  return schema.contains("properties") ? schema.at("properties") : none;
}

std::string object_fault(const Json& schema, const std::string& path) {
  if (!schema.contains("additionalProperties") || schema.at("additionalProperties") != false) {
    return fmt::format("In context={}, 'additionalProperties' is required to be supplied and to be false.",
                       path);
  }
  for (const auto& [name, member] : properties_of(schema).items()) {
    const Json& required = schema.value("required", Json::array());
    if (std::ranges::find(required, Json(name)) == required.end()) {
      return fmt::format("In context={}, 'required' must include every key in properties. Missing '{}'.",
                         path, name);
    }
  }
  return {};
}

std::string fault_at(const Json& schema, const Json& root, const std::string& path, int depth) {
  constexpr std::array<std::string_view, 21> kKnown = {"type",
                                                       "properties",
                                                       "required",
                                                       "additionalProperties",
                                                       "items",
                                                       "enum",
                                                       "const",
                                                       "anyOf",
                                                       "$ref",
                                                       "$defs",
                                                       "description",
                                                       "title",
                                                       "pattern",
                                                       "format",
                                                       "minimum",
                                                       "maximum",
                                                       "exclusiveMinimum",
                                                       "exclusiveMaximum",
                                                       "multipleOf",
                                                       "minItems",
                                                       "maxItems"};
  if (depth > 10) return fmt::format("In context={}, more than 10 levels of nesting.", path);
  for (const auto& [keyword, value] : schema.items()) {
    if (std::ranges::find(kKnown, keyword) == kKnown.end()) {
      return fmt::format("In context={}, '{}' is not permitted.", path, keyword);
    }
  }
  const Json& real = resolved(schema, root);
  if (&real != &schema) return fault_at(real, root, path, depth);
  if (type_of(schema) == "array") return fault_at(schema.at("items"), root, path + "[]", depth);
  if (type_of(schema) != "object") return {};
  if (std::string fault = object_fault(schema, path); !fault.empty()) return fault;
  for (const auto& [name, member] : properties_of(schema).items()) {
    if (std::string fault = fault_at(member, root, path + "." + name, depth + 1); !fault.empty())
      return fault;
  }
  return {};
}

/// `known` where it has the member, brought into the schema's order; else invented.
Json held_to(const Json& known, const Json& schema, const Json& root, std::uint64_t seed) {
  const Json& real = resolved(schema, root);
  if (known.is_null()) return invent(real, root, seed);
  if (type_of(real) == "object" && known.is_object()) {
    Json object = Json::object();
    for (const auto& [name, member] : real.at("properties").items()) {
      object[name] = held_to(known.contains(name) ? known.at(name) : Json(nullptr), member, root, seed + 1);
    }
    return object;
  }
  if (type_of(real) == "array" && known.is_array()) {
    Json list = Json::array();
    for (const Json& item : known) list.push_back(held_to(item, real.at("items"), root, seed + list.size()));
    return list;
  }
  return known;
}

}  // namespace

std::string strict_fault(const Json& schema) {
  if (!schema.is_object() || type_of(schema) != "object")
    return "schema must be a JSON Schema of 'type: \"object\"'.";
  return fault_at(schema, schema, "()", 1);
}

Json invent(const Json& schema, const Json& root, std::uint64_t seed) {
  const Json& real = resolved(schema, root);
  if (real.contains("const")) return real.at("const");
  if (real.contains("enum")) return real.at("enum").at(seed % real.at("enum").size());
  if (real.contains("anyOf")) return invent(real.at("anyOf").front(), root, seed);
  const std::string type = type_of(real);
  if (type == "object") {
    Json object = Json::object();
    for (const auto& [name, member] : properties_of(real).items()) {
      object[name] = invent(member, root, seed + object.size());
    }
    return object;
  }
  if (type == "array") {
    Json list = Json::array();
    const std::size_t count = std::max<std::size_t>(real.value("minItems", std::size_t{2}), 1);
    while (list.size() < count) list.push_back(invent(real.at("items"), root, seed + list.size()));
    return list;
  }
  if (type == "integer") return real.value("minimum", 1);
  if (type == "number") return real.value("minimum", 0.5);
  if (type == "boolean") return seed % 2 == 0;
  if (type == "null") return nullptr;
  return fmt::format("text {}", seed % 1000);
}

Json write_by_schema(const Json& schema, const Author& author, std::uint64_t seed) {
  Json known = Json::object();
  if (!author.inputs().has_plan) known["plan"] = author.plan();
  known["sections"] = Json::object();
  for (const std::string& id : author.inputs().wanted) known["sections"][id] = author.section(id);
  return schema.is_null() ? known : held_to(known, schema, schema, seed);
}

}  // namespace sim
