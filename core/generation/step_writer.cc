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
    document_.apply(event);
    last_id_ = event.id;
  }
}

void StepWriter::write(project::EventType type, const Json& members, std::optional<project::RunEnd> end) {
  Json data = project::event_data(lease_.run_id, project_id_, format_rfc3339(wall_now()), members);
  project::Step step{lease_.run_id, lease_.token, {last_id_ + 1, type, std::move(data)}, {}, std::move(end)};
  document_.apply(step.event);
  step.document = dump_json(document_.json());
  submit_(step);
  last_id_ = step.event.id;
}

}  // namespace gp::generation
