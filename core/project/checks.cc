#include "core/project/checks.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/utf8.h"
#include "core/project/json_schema.h"
#include "core/project/redaction.h"

namespace gp::project {
namespace {

constexpr double kLeastTimeUsed = 0.6;  // of the lesson

/// What is wrong, under the id of the check that found it. Ids are part of the public contract (validator).
struct Finding {
  std::string check;
  Fault fault;
};
using Findings = std::vector<Finding>;

const JsonSchema& definition_schema(const std::string& name) {
  static const auto schema_of = [](const char* definition) {
    Json schema = {{"$ref", std::string("#/definitions/") + definition}};
    schema["definitions"] = project_schema().at("definitions");
    return JsonSchema(schema);
  };
  static const JsonSchema plan = schema_of("plan");
  static const JsonSchema section = schema_of("section");
  return name == "plan" ? plan : section;
}

std::string joined(const std::string& path, const std::string& field) {
  if (field.empty()) return path;
  return field.starts_with('[') ? path + field : path + "." + field;
}

/// Calls `visit` with the path and the text of every string in `value`.
void for_each_text(const Json& value, const std::string& path,
                   const std::function<void(const std::string& path, const std::string& text)>& visit) {
  if (value.is_string()) {
    visit(path, value.get_ref<const std::string&>());
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      for_each_text(value[i], fmt::format("{}[{}]", path, i), visit);
  } else if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      visit(path, name);
      for_each_text(member, joined(path, name), visit);
    }
  }
}

void find_bad_text(const Json& value, const std::string& path, Findings& findings) {
  for_each_text(value, path, [&](const std::string& where, const std::string& text) {
    if (utf8::has_control(text, true)) {
      findings.push_back({"text", {where, "must not hold control characters"}});
    } else if (!text.empty() && utf8::trim(text).empty()) {
      findings.push_back({"text", {where, "must not be blank"}});
    }
  });
  if (const std::size_t size = dump_json(value).size(); size > kMaxPartBytes) {
    findings.push_back({"text", {path, fmt::format("must not be longer than {} bytes", kMaxPartBytes)}});
  }
}

Findings find_in_plan(const Json& plan, const StartRequest& request) {
  Json whole = plan;
  if (whole.is_object()) whole["blocklist_ok"] = true;  // ours to compute; not a question of the plan
  Findings findings;
  for (Fault& fault : definition_schema("plan").check(whole)) {
    findings.push_back({"plan_shape", {joined("plan", fault.field), std::move(fault.problem)}});
  }
  if (!findings.empty()) return findings;  // the rules below read the plan's members

  const Json& sections = plan.at("sections");
  if (sections.empty())
    findings.push_back({"plan_shape", {"plan.sections", "must hold at least one section"}});
  const auto roles = roles_for(request.group_size);
  int minutes = 0;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const Json& section = sections[i];
    const auto id = section.at("id").get<std::string>();
    const std::string expected = fmt::format("sec_{:02}", i + 1);
    if (id != expected) {
      findings.push_back({"section_ids", {fmt::format("plan.sections[{}].id", i), "must be " + expected}});
    }
    minutes += section.at("constraints").at("time_min").get<int>();
    const auto given = section.at("roles").get<std::set<std::string>>();
    if (given != std::set(roles.begin(), roles.end()) || section.at("roles").size() != roles.size()) {
      findings.push_back({"roles",
                          {fmt::format("plan.sections.{}.roles", id),
                           fmt::format("must be exactly {}", fmt::join(roles, ", "))}});
    }
  }
  if (minutes > request.duration_min) {
    findings.push_back(
        {"time_budget",
         {"plan.sections", fmt::format("constraints.time_min adds up to {} minutes; the lesson has {}",
                                       minutes, request.duration_min)}});
  }
  find_bad_text(plan, "plan", findings);
  return findings;
}

Findings find_in_section(const std::string& section_id, const Json& section, const StartRequest& request) {
  const std::string path = "sections." + section_id;
  Findings findings;
  for (Fault& fault : definition_schema("section").check(section)) {
    findings.push_back({"section_shape", {joined(path, fault.field), std::move(fault.problem)}});
  }
  if (!findings.empty()) return findings;

  std::vector<std::string> seats;
  for (const auto& [seat, part] : section.at("seats").items()) seats.push_back(seat);
  const auto expected = seats_for(request.group_size);
  if (std::set(seats.begin(), seats.end()) != std::set(expected.begin(), expected.end())) {
    findings.push_back(
        {"seats",
         {path + ".seats", fmt::format("must have exactly the members {}", fmt::join(expected, ", "))}});
  }
  find_bad_text(section, path, findings);
  return findings;
}

std::vector<Fault> faults_of(Findings findings) {
  std::vector<Fault> faults;
  for (Finding& finding : findings) faults.push_back(std::move(finding.fault));
  return faults;
}

/// Builds the rows of the validator in the order in which the checks are named.
class Report {
 public:
  void check(const std::string& id, const Findings& findings) {
    std::vector<std::string> details;
    for (const Finding& finding : findings) {
      if (finding.check == id) details.push_back(finding.fault.field + " " + finding.fault.problem);
    }
    is_ok_ = is_ok_ && details.empty();
    row(id, details.empty(), fmt::format("{}", fmt::join(details, "; ")));
  }

  void warn(const std::string& id, const std::vector<std::string>& details) {
    row(id, details.empty(), details.empty() ? "" : fmt::format("warning: {}", fmt::join(details, "; ")));
  }

  Json take() && { return {{"ok", is_ok_}, {"checks", std::move(rows_)}}; }

 private:
  void row(const std::string& id, bool ok, const std::string& detail) {
    rows_.push_back({{"id", id}, {"ok", ok}, {"detail", utf8::truncate(detail, 1000)}});
  }

  Json rows_ = Json::array();
  bool is_ok_ = true;
};

Findings find_missing_sections(const Json& document) {
  Findings findings;
  std::set<std::string> planned;
  for (const Json& section : document.at("plan").at("sections"))
    planned.insert(section.at("id").get<std::string>());
  for (const std::string& id : planned) {
    if (!document.at("sections").contains(id))
      findings.push_back({"section_ids", {"sections." + id, "is missing"}});
  }
  for (const auto& [id, section] : document.at("sections").items()) {
    if (!planned.contains(id)) findings.push_back({"section_ids", {"sections." + id, "is not in the plan"}});
  }
  return findings;
}

/// The members that teachers and students see; meta and logs are ours.
Json content_of(const Json& document) {
  return {{"plan", document.at("plan")}, {"sections", document.at("sections")}};
}

Findings find_personal_data(const Json& content) {
  Findings findings;
  for_each_text(content, "", [&](const std::string& where, const std::string& text) {
    if (redact(text) != text) findings.push_back({"personal_data", {where.substr(1), "holds personal data"}});
  });
  return findings;
}

// Warnings: a teacher may use the project as it is.

std::vector<std::string> warn_of_time(const Json& plan, const StartRequest& request) {
  int minutes = 0;
  for (const Json& section : plan.at("sections"))
    minutes += section.at("constraints").at("time_min").get<int>();
  if (minutes >= kLeastTimeUsed * request.duration_min) return {};
  return {fmt::format("the sections take {} of {} minutes", minutes, request.duration_min)};
}

std::vector<std::string> warn_of_core_task(const Json& plan) {
  const auto is_core_task = [](const Json& section) { return section.at("name") == "CoreTask"; };
  if (std::ranges::any_of(plan.at("sections"), is_core_task)) return {};
  return {"no section is named CoreTask"};
}

std::vector<std::string> warn_of_percentages(const Json& plan) {
  std::vector<std::string> details;
  for (const Json& section : plan.at("sections")) {
    for (const Json& criterion : section.at("success_criteria")) {
      const auto metric = criterion.at("metric").get<std::string>();
      if (metric.ends_with("_pct") && criterion.at("target_value").get<double>() > 1) {
        details.push_back(
            fmt::format("{} of {} is a share from 0 to 1", metric, section.at("id").get<std::string>()));
      }
    }
  }
  return details;
}

std::vector<std::string> warn_of_equal_seats(const Json& sections) {
  std::vector<std::string> details;
  for (const auto& [id, section] : sections.items()) {
    std::set<std::string> seen;
    for (const auto& [seat, part] : section.at("seats").items()) {
      const Json& data = part.at("data");
      if (!data.empty() && !seen.insert(dump_json(data)).second) {
        details.push_back(fmt::format("sections.{}.seats.{} holds what another seat holds", id, seat));
      }
    }
  }
  return details;
}

std::vector<std::string> warn_of_empty_seats(const Json& plan, const Json& sections) {
  std::vector<std::string> details;
  for (const Json& planned : plan.at("sections")) {
    const auto id = planned.at("id").get<std::string>();
    if (planned.at("name") != "CoreTask" || !sections.contains(id)) continue;
    for (const auto& [seat, part] : sections.at(id).at("seats").items()) {
      if (part.at("data").empty())
        details.push_back(fmt::format("sections.{}.seats.{} has no data", id, seat));
    }
  }
  return details;
}

std::vector<std::string> warn_of_answer_keys(const Json& plan, const Json& sections) {
  std::vector<std::string> details;
  for (const Json& planned : plan.at("sections")) {
    const auto id = planned.at("id").get<std::string>();
    if (planned.at("name") != "CoreTask" || !sections.contains(id)) continue;
    if (sections.at(id).at("teacher").at("data").empty()) {
      details.push_back(fmt::format("sections.{}.teacher.data holds no answer key", id));
    }
  }
  return details;
}

}  // namespace

std::vector<std::string> seats_for(int group_size) {
  std::vector<std::string> seats;
  for (int seat = 1; seat <= group_size; ++seat) seats.push_back(std::to_string(seat));
  return seats;
}

std::vector<std::string> roles_for(int group_size) {
  std::vector<std::string> roles = {"teacher", "shared"};
  for (const std::string& seat : seats_for(group_size)) roles.push_back("seat_" + seat);
  return roles;
}

std::vector<Fault> check_plan(const Json& plan, const StartRequest& request) {
  return faults_of(find_in_plan(plan, request));
}

std::vector<Fault> check_section(const std::string& section_id, const Json& section,
                                 const StartRequest& request) {
  return faults_of(find_in_section(section_id, section, request));
}

std::optional<Fault> find_blocked(const Json& value, const std::string& path, const Blocklist& blocklist) {
  std::optional<Fault> fault;
  for_each_text(value, path, [&](const std::string& where, const std::string& text) {
    if (fault) return;
    if (const auto hit = blocklist.find(text))
      fault = Fault{where, fmt::format("holds a word of the blocked category '{}'", hit->category)};
  });
  return fault;
}

std::vector<Fault> find_blocked(const StartRequest& request, const Blocklist& blocklist) {
  const Json texts = {{"topic", request.topic}, {"title", request.title}, {"life_skill", request.life_skill}};
  std::vector<Fault> faults;
  for (const auto& [field, text] : texts.items()) {
    if (auto fault = find_blocked(text, field, blocklist)) faults.push_back(std::move(*fault));
  }
  return faults;
}

Json validate(const Json& document, const StartRequest& request, const Blocklist& blocklist) {
  const Json content = content_of(document);
  const Json& plan = content.at("plan");
  const Json& sections = content.at("sections");
  Findings findings = find_in_plan(plan, request);
  const auto add = [&](Findings more) { std::ranges::move(more, std::back_inserter(findings)); };
  for (const auto& [id, section] : sections.items()) add(find_in_section(id, section, request));
  const bool is_readable = std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.check.ends_with("_shape"); });
  add(find_missing_sections(document));
  add(find_personal_data(content));
  for (const auto& [part, value] : content.items()) {
    if (auto fault = find_blocked(value, part, blocklist))
      findings.push_back({"blocklist", std::move(*fault)});
  }

  Report report;
  for (const char* id : {"plan_shape", "section_ids", "section_shape", "seats", "roles", "time_budget",
                         "text", "blocklist", "personal_data"}) {
    report.check(id, findings);
  }
  if (is_readable) {
    report.warn("time_used", warn_of_time(plan, request));
    report.warn("core_task", warn_of_core_task(plan));
    report.warn("percentages", warn_of_percentages(plan));
    report.warn("seats_differ", warn_of_equal_seats(sections));
    report.warn("seat_data", warn_of_empty_seats(plan, sections));
    report.warn("answer_key", warn_of_answer_keys(plan, sections));
  }
  return std::move(report).take();
}

}  // namespace gp::project
