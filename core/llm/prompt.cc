#include "core/llm/prompt.h"

#include <string>
#include <string_view>

#include "core/project/checks.h"
#include "core/project/redaction.h"
#include "core/project/shown_fault.h"

namespace gp::llm {

extern const std::string_view kSystemPromptText;

namespace {

Json list_of(const std::vector<Fault>& faults) {
  Json list = Json::array();
  for (const Fault& fault : faults) {
    if (list.size() == project::kMostFaultsShown) break;
    const Fault shown = project::shown_fault(fault);
    list.push_back({{"field", shown.field}, {"problem", shown.problem}});
  }
  return list;
}

Json inputs_of(const Assignment& assignment) {
  const project::StartRequest& request = assignment.request;
  Json inputs = {{"topic", request.topic}};
  if (!request.title.empty()) inputs["title"] = request.title;
  inputs["life_skill"] = request.life_skill;
  inputs["grade_band"] = request.grade_band;
  inputs["group_size"] = request.group_size;
  inputs["duration_min"] = request.duration_min;
  inputs["uae_context"] = request.uae_context;
  inputs["seats"] = project::seats_for(request.group_size);
  inputs["sections"] = assignment.section_ids;
  inputs["wanted"] = assignment.wanted;
  if (!assignment.plan.is_null()) inputs["plan"] = assignment.plan;
  if (!assignment.finished.empty()) inputs["finished"] = assignment.finished;
  if (!assignment.faults.empty()) inputs["faults"] = list_of(assignment.faults);
  return inputs;
}

}  // namespace

Json make_messages(const Assignment& assignment) {
  Json inputs = inputs_of(assignment);
  project::redact_strings(inputs);
  // "system" is understood by every server; several do not know "developer".
  return Json::array({{{"role", "system"}, {"content", std::string(kSystemPromptText)}},
                      {{"role", "user"}, {"content", dump_json(inputs)}}});
}

}  // namespace gp::llm
