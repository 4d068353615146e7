#include "core/project/event.h"

#include <array>
#include <utility>

namespace gp::project {
namespace {

constexpr std::array<std::pair<EventType, std::string_view>, 6> kNames = {{
    {EventType::kRunStarted, "run_started"},
    {EventType::kPlanCompleted, "plan_completed"},
    {EventType::kSectionStarted, "section_started"},
    {EventType::kSectionCompleted, "section_completed"},
    {EventType::kRunCompleted, "run_completed"},
    {EventType::kError, "error"},
}};

}  // namespace

std::string_view name_of(EventType type) {
  for (const auto& [known, name] : kNames) {
    if (known == type) return name;
  }
  return "unknown";
}

std::optional<EventType> parse_event_type(std::string_view name) {
  for (const auto& [type, known] : kNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

Json event_data(const RunId& run_id, const ProjectId& project_id, const std::string& at,
                const Json& members) {
  Json data = {{"run_id", run_id.str()}, {"project_id", project_id.str()}, {"at", at}};
  data.update(members);
  return data;
}

}  // namespace gp::project
