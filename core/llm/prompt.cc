#include "core/llm/prompt.h"

#include <string>
#include <string_view>

#include "core/base/utf8.h"
#include "core/project/checks.h"
#include "core/project/redaction.h"

namespace gp::llm {

extern const std::string_view kSystemPromptText;

namespace {

// A repair needs to see what was wrong, not each time it was.
constexpr std::size_t kMaxFaults = 50;
constexpr std::size_t kMaxFaultLength = 200;  // characters, with the three dots of a cut

/// Redacted before it is cut: half an address would no longer be known as one.
std::string cut(const std::string& text) {
  const std::string much = utf8::truncate(utf8::sanitize(text), 10 * kMaxFaultLength);
  return utf8::truncate(project::redact(much), kMaxFaultLength - 3);
}

Json shown(const std::vector<Fault>& faults) {
  Json list = Json::array();
  for (const Fault& fault : faults) {
    if (list.size() == kMaxFaults) break;
    list.push_back({{"field", cut(fault.field)}, {"problem", cut(fault.problem)}});
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
  if (!assignment.faults.empty()) inputs["faults"] = shown(assignment.faults);
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
