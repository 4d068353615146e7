#include "core/llm/response_schema.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/project/checks.h"
#include "core/project/json_schema.h"

namespace gp::llm {
namespace {

/// What Structured Outputs does not know, or a server would only have to repeat to the model.
constexpr std::array kDropped = {"minLength", "maxLength", "description", "title"};

/// Far more than a lesson needs: where a model repeats itself, the list ends here.
constexpr int kMostEntries = 100;

/// A copy of a part of proj.v1's schema in the strict subset.
Json to_strict(const Json& part) {
  if (part.is_array()) {
    Json items = Json::array();
    for (const Json& item : part) items.push_back(to_strict(item));
    return items;
  }
  if (!part.is_object()) return part;
  Json strict = Json::object();
  for (const auto& [name, member] : part.items()) {
    if (name == "$ref") {
      std::string target = member.get<std::string>();
      target.replace(0, std::string_view("#/definitions/").size(), "#/$defs/");
      strict[name] = target;
    } else if (name == "properties") {
      for (const auto& [property, schema] : member.items()) strict[name][property] = to_strict(schema);
    } else if (std::find(kDropped.begin(), kDropped.end(), name) == kDropped.end()) {
      strict[name] = to_strict(member);
    }
  }
  return strict;
}

Json object_of(const Json& properties) {
  Json required = Json::array();
  for (const auto& [name, schema] : properties.items()) required.push_back(name);
  return {{"type", "object"},
          {"properties", properties},
          {"required", required},
          {"additionalProperties", false}};
}

Json list_of_entries() {
  return {{"type", "array"}, {"items", {{"$ref", "#/$defs/entry"}}}, {"maxItems", kMostEntries}};
}

Json all_with(const std::vector<std::string>& names, const Json& schema) {
  Json properties = Json::object();
  for (const std::string& name : names) properties[name] = schema;
  return object_of(properties);
}

Json plan_definition(const Assignment& assignment) {
  const auto count = assignment.section_ids.size();
  return object_of({{"sections",
                     {{"type", "array"},
                      {"items", {{"$ref", "#/$defs/planned_section"}}},
                      {"minItems", count},
                      {"maxItems", count}}}});
}

Json planned_section_definition(const Json& source, const Assignment& assignment) {
  Json definition = to_strict(source);
  Json& properties = definition["properties"];
  properties["id"] = {{"type", "string"}, {"enum", assignment.section_ids}};
  const auto roles = project::roles_for(assignment.request.group_size);
  const auto count = roles.size();
  properties["roles"] = {{"type", "array"},
                         {"items", {{"type", "string"}, {"enum", roles}}},
                         {"minItems", count},
                         {"maxItems", count}};
  return definition;
}

Json part_definition(const Json& source) {
  Json definition = to_strict(source);
  definition["properties"]["data"] = list_of_entries();
  definition["properties"]["extras"] = list_of_entries();
  return definition;
}

}  // namespace

Json response_schema(const Assignment& assignment) {
  const Json& source = project::project_schema().at("definitions");
  const bool writes_plan = assignment.plan.is_null();
  Json root = Json::object();
  if (writes_plan) root["plan"] = {{"$ref", "#/$defs/plan"}};
  root["sections"] = all_with(assignment.wanted, {{"$ref", "#/$defs/section"}});

  Json schema = object_of(root);
  Json& definitions = schema["$defs"];
  if (writes_plan) {
    definitions["plan"] = plan_definition(assignment);
    definitions["planned_section"] = planned_section_definition(source.at("planned_section"), assignment);
    definitions["constraints"] = to_strict(source.at("constraints"));
    definitions["constraints"]["properties"]["time_min"]["maximum"] = assignment.request.duration_min;
    definitions["success_criterion"] = to_strict(source.at("success_criterion"));
  }
  definitions["section"] = object_of(
      {{"teacher", {{"$ref", "#/$defs/part"}}},
       {"shared", {{"$ref", "#/$defs/part"}}},
       {"seats", all_with(project::seats_for(assignment.request.group_size), {{"$ref", "#/$defs/part"}})}});
  definitions["part"] = part_definition(source.at("part"));
  definitions["entry"] = object_of({{"key", {{"type", "string"}}}, {"value", {{"type", "string"}}}});
  return schema;
}

}  // namespace gp::llm
