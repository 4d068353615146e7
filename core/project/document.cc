#include "core/project/document.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/project/redaction.h"

namespace gp::project {
namespace {

/// What the data of each type of event promises beyond run_id, project_id and at (event.h).
std::vector<std::string_view> members_of(EventType type) {
  switch (type) {
    case EventType::kRunStarted:
      return {"attempt", "model", "resumed_sections"};
    case EventType::kPlanCompleted:
      return {"plan"};
    case EventType::kSectionStarted:
      return {"section_id", "name", "index"};
    case EventType::kSectionCompleted:
      return {"section_id", "name", "index", "total", "section"};
    case EventType::kRunCompleted:
      return {"sections", "duration_ms", "tokens", "cost_est", "validator"};
    case EventType::kError:
      return {"code", "message", "stage", "retryable"};
  }
  return {};
}

[[noreturn]] void refuse(const Event& event, std::string_view why) {
  throw Error(ErrorKind::kBug, fmt::format("event {} ({}) {}", event.id, name_of(event.type), why));
}

void require_promised_members(const Event& event) {
  if (!event.data.is_object()) refuse(event, "has no data");
  for (const std::string_view name : members_of(event.type)) {
    if (!event.data.contains(name)) refuse(event, fmt::format("lacks '{}'", name));
  }
}

Json meta_of(const StartRequest& request) {
  return {{"grade_band", request.grade_band},         {"topic", redact(request.topic)},
          {"life_skill", redact(request.life_skill)}, {"group_size", request.group_size},
          {"duration_min", request.duration_min},     {"owner_email", redacted_email(request.owner_email)},
          {"uae_context", request.uae_context}};
}

/// The plan of `event`, which holds at least one section with an id.
const Json& plan_in(const Event& event) {
  const Json& plan = event.data.at("plan");
  if (!plan.is_object() || !plan.contains("sections")) refuse(event, "holds no plan");
  const Json& sections = plan.at("sections");
  if (!sections.is_array() || sections.empty()) refuse(event, "plans no section");
  const auto has_id = [](const Json& section) {
    return section.is_object() && section.contains("id") && section.at("id").is_string();
  };
  if (!std::ranges::all_of(sections, has_id)) refuse(event, "plans a section without an id");
  return plan;
}

/// `sections` in plan order; those that the plan does not name are gone.
Json in_plan_order(const Json& sections, const std::vector<std::string>& planned) {
  Json ordered = Json::object();
  for (const std::string& id : planned) {
    if (sections.contains(id)) ordered[id] = sections.at(id);
  }
  return ordered;
}

std::string_view status_while_running(const Document& document) {
  if (!document.has_plan()) return "planning";
  return document.missing_sections().empty() ? "validating" : "generating";
}

}  // namespace

std::string csv_url(const std::string& base_url, const RunId& run_id) {
  return base_url.empty() ? std::string() : fmt::format("{}/{}.csv", base_url, run_id.str());
}

Document::Document(const RunId& run_id, const StartRequest& request, const std::string& csv_url)
    : json_({{"schema_version", "proj.v1"},
             {"run_id", run_id.str()},
             {"chat_id", request.chat_id.str()},
             {"status", "planning"},
             {"meta", meta_of(request)},
             // The request has passed the blocklist, and there is nothing else yet.
             {"plan", {{"blocklist_ok", true}, {"sections", Json::array()}}},
             {"sections", Json::object()},
             {"validator", nullptr},
             {"logs",
              {{"csv_url", csv_url.empty() ? Json(nullptr) : Json(csv_url)}, {"events_replayable", true}}}}) {
}

void Document::apply(const Event& event) {
  require_promised_members(event);
  std::string_view status;
  switch (event.type) {
    case EventType::kRunStarted:
      json_["validator"] = nullptr;
      break;
    case EventType::kPlanCompleted:
      json_["plan"] = plan_in(event);
      json_["sections"] = in_plan_order(sections(), planned_sections());
      break;
    case EventType::kSectionStarted:
      break;
    case EventType::kSectionCompleted:
      add_section(event);
      break;
    case EventType::kRunCompleted:
      json_["validator"] = event.data.at("validator");
      status = "complete";
      break;
    case EventType::kError:
      status = "error";
      break;
  }
  json_["status"] = status.empty() ? status_while_running(*this) : status;
}

void Document::add_section(const Event& event) {
  const Json& id = event.data.at("section_id");
  const auto planned = planned_sections();
  if (!id.is_string() || std::ranges::find(planned, id.get<std::string>()) == planned.end()) {
    refuse(event, "is about a section that is not in the plan");
  }
  if (!event.data.at("section").is_object()) refuse(event, "holds no section");
  json_["sections"][id.get<std::string>()] = event.data.at("section");
  json_["sections"] = in_plan_order(sections(), planned);
}

bool Document::has_plan() const { return !plan().at("sections").empty(); }

std::vector<std::string> Document::planned_sections() const {
  std::vector<std::string> ids;
  for (const Json& section : plan().at("sections")) ids.push_back(section.at("id").get<std::string>());
  return ids;
}

std::vector<std::string> Document::completed_sections() const {
  std::vector<std::string> ids = planned_sections();
  std::erase_if(ids, [this](const std::string& id) { return !sections().contains(id); });
  return ids;
}

std::vector<std::string> Document::missing_sections() const {
  std::vector<std::string> ids = planned_sections();
  std::erase_if(ids, [this](const std::string& id) { return sections().contains(id); });
  return ids;
}

}  // namespace gp::project
