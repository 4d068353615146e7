#include "core/generation/step_writer.h"

#include <utility>

#include "core/base/clock.h"

namespace gp::generation {

StepWriter::StepWriter(const runlog::Claim& claim, const std::string& csv_url, Submit submit)
    : lease_(claim.lease),
      project_id_(claim.request.project_id),
      document_(claim.lease.run_id, claim.request, csv_url),
      submit_(std::move(submit)) {
  for (const project::Event& event : claim.events) {
    fold(event);
    last_id_ = event.id;
  }
}

void StepWriter::write(project::EventType type, const Json& members, std::optional<project::RunEnd> end) {
  Json data = project::event_data(lease_.run_id, project_id_, format_rfc3339(wall_now()), members);
  project::Step step{lease_.run_id, lease_.token, {last_id_ + 1, type, std::move(data)}, {}, std::move(end)};
  fold(step.event);
  step.document = dump_json(document_.json());
  submit_(step);
  last_id_ = step.event.id;
}

void StepWriter::fold(const project::Event& event) {
  if (event.type == project::EventType::kPlanCompleted) {
    is_plan_discarded_ = false;
    for (const std::string& id : document_.completed_sections()) discarded_.insert(id);
  }
  document_.apply(event);
  if (event.type == project::EventType::kSectionCompleted)
    discarded_.erase(event.data.at("section_id").get<std::string>());
}

std::vector<std::string> StepWriter::finished_sections() const {
  if (!has_plan()) return {};
  auto ids = document_.completed_sections();
  std::erase_if(ids, [this](const std::string& id) { return discarded_.contains(id); });
  return ids;
}

std::vector<std::string> StepWriter::missing_sections() const {
  if (!has_plan()) return {};
  auto ids = document_.planned_sections();
  const Json& sections = document_.sections();
  std::erase_if(ids,
                [&](const std::string& id) { return sections.contains(id) && !discarded_.contains(id); });
  return ids;
}

Json StepWriter::finished() const {
  Json sections = Json::object();
  for (const std::string& id : finished_sections()) sections[id] = document_.sections().at(id);
  return sections;
}

}  // namespace gp::generation
