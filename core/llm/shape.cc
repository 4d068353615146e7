#include "core/llm/shape.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/utf8.h"
#include "core/llm/response_schema.h"
#include "core/project/checks.h"
#include "core/project/json_schema.h"
#include "core/project/redaction.h"

namespace gp::llm {
namespace {

void trim_texts(Json& value) {
  if (value.is_string()) {
    auto& text = value.get_ref<std::string&>();
    if (utf8::is_valid(text)) text = utf8::trim(text);
  } else if (value.is_structured()) {
    for (Json& member : value) trim_texts(member);
  }
}

/// Calls `change` with the member where `object` is an object that has it.
template <class Change>
void with_member(Json& object, std::string_view name, Change change) {
  if (object.is_object() && object.contains(name)) change(object.at(name));
}

template <class Change>
void with_items(Json& array, Change change) {
  if (!array.is_array()) return;
  for (Json& item : array) change(item);
}

void mend_operator(Json& value) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSynonyms = {{{"≤", "<="},
                                                                                       {"=<", "<="},
                                                                                       {"≥", ">="},
                                                                                       {"=>", ">="},
                                                                                       {"=", "=="},
                                                                                       {"===", "=="},
                                                                                       {"equals", "=="},
                                                                                       {"eq", "=="}}};
  if (!value.is_string()) return;
  for (const auto& [theirs, ours] : kSynonyms) {
    if (value.get_ref<const std::string&>() == theirs) {
      value = ours;
      return;
    }
  }
}

void mend_number(Json& value) {
  if (!value.is_string()) return;
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault == std::errc{} && end == text.data() + text.size() && std::isfinite(number)) value = number;
}

/// 10.0 and "10" are whole numbers too.
void mend_whole_number(Json& value) {
  mend_number(value);
  if (!value.is_number_float()) return;
  const double number = value.get<double>();
  if (number == std::floor(number) && std::abs(number) < 1e9) value = static_cast<std::int64_t>(number);
}

/// Members that no rule of ours asked for carry nothing the document could keep.
void keep_only(Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) return;
  Json kept = Json::object();
  for (const std::string_view name : names) {
    if (object.contains(name)) kept[std::string(name)] = std::move(object.at(name));
  }
  object = std::move(kept);
}

void mend_planned_section(Json& section) {
  keep_only(section, {"id", "name", "math_objective", "constraints", "success_criteria", "roles"});
  with_member(section, "constraints", [](Json& constraints) {
    keep_only(constraints, {"time_min", "materials"});
    with_member(constraints, "time_min", mend_whole_number);
  });
  with_member(section, "success_criteria", [](Json& criteria) {
    with_items(criteria, [](Json& criterion) {
      keep_only(criterion, {"metric", "target_op", "target_value"});
      with_member(criterion, "target_op", mend_operator);
      with_member(criterion, "target_value", mend_number);
    });
  });
}

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

/// Models that were not held to the schema write an object, or leave the list out where it is empty.
void mend_entries(Json& part, const char* name) {
  if (!part.is_object()) return;
  Json& entries = part[name];
  if (entries.is_null()) entries = Json::array();
  if (entries.is_object()) {
    Json list = Json::array();
    for (const auto& [key, value] : entries.items()) list.push_back({{"key", key}, {"value", value}});
    entries = std::move(list);
  }
  with_items(entries, [](Json& entry) {
    keep_only(entry, {"key", "value"});
    with_member(entry, "value", [](Json& value) { value = as_text(value); });
  });
}

void mend_part(Json& part) {
  if (!part.is_object()) return;
  mend_entries(part, "data");
  mend_entries(part, "extras");
  keep_only(part, {"objective", "steps", "data", "extras"});
}

/// Calls `change` with each part of a section: teacher, shared and every seat.
template <class Change>
void with_parts(Json& section, Change change) {
  with_member(section, "teacher", change);
  with_member(section, "shared", change);
  with_member(section, "seats", [&](Json& seats) {
    if (!seats.is_object()) return;
    for (Json& seat : seats) change(seat);
  });
}

/// A list of {key, value} as an object. A key that comes again gets a number behind it: nothing is lost.
Json folded(const Json& entries) {
  project::MemberNames names;
  Json::object_t object;  // appended to: object[name] would look at every member before it
  for (const Json& entry : entries) {
    object.emplace_back(names.unique(entry.at("key").get_ref<const std::string&>()), entry.at("value"));
  }
  return object;
}

void fold_part(Json& part) {
  part["data"] = folded(part.at("data"));
  part["extras"] = folded(part.at("extras"));
}

/// The least that a section's JSON has once its lists are folded.
std::size_t folded_size(Json& section) {
  constexpr std::size_t kSavedByEntry =
      std::string_view(R"({"key":,"value":})").size() - 1;  // its colon stays
  std::size_t size = dump_json(section).size();
  with_parts(section, [&](const Json& part) {
    size -= kSavedByEntry * (part.at("data").size() + part.at("extras").size());
  });
  return size;
}

/// What is wrong with `value` by one definition of the assignment's response schema.
std::vector<Fault> check(const Json& value, const Assignment& assignment, const std::string& definition,
                         const std::string& path) {
  Json schema = {{"$ref", "#/$defs/" + definition}};
  schema["$defs"] = response_schema(assignment).at("$defs");
  std::vector<Fault> faults = project::JsonSchema(schema).check(value);
  for (Fault& fault : faults) {
    const bool is_member = !fault.field.empty() && !fault.field.starts_with('[');
    fault.field.insert(0, is_member ? path + "." : path);
  }
  return faults;
}

}  // namespace

Shaped shape_plan(const Json& raw, const Assignment& assignment) {
  Shaped shaped{raw, {}};
  trim_texts(shaped.value);
  keep_only(shaped.value, {"sections"});
  with_member(shaped.value, "sections", [](Json& sections) { with_items(sections, mend_planned_section); });
  shaped.faults = check(shaped.value, assignment, "plan", "plan");
  return shaped;
}

Shaped shape_section(const std::string& section_id, const Json& raw, const Assignment& assignment) {
  Shaped shaped{raw, {}};
  trim_texts(shaped.value);
  keep_only(shaped.value, {"teacher", "shared", "seats"});
  with_parts(shaped.value, mend_part);
  const std::string path = "sections." + section_id;
  shaped.faults = check(shaped.value, assignment, "section", path);
  if (shaped.faults.empty() && folded_size(shaped.value) > project::kMaxPartBytes)
    shaped.faults.push_back({path, fmt::format("must not be longer than {} bytes", project::kMaxPartBytes)});
  if (shaped.faults.empty()) with_parts(shaped.value, fold_part);
  return shaped;
}

}  // namespace gp::llm
