#include "core/llm/call_body.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/llm/prompt.h"
#include "core/llm/response_schema.h"

namespace gp::llm {
namespace {

Json response_format(const std::string& kind, const Assignment& assignment) {
  if (kind == "json_object") return {{"type", "json_object"}};
  return {{"type", "json_schema"},
          {"json_schema", {{"name", "project"}, {"strict", true}, {"schema", response_schema(assignment)}}}};
}

}  // namespace

Json make_call_body(const Config& config, const CallParameters& parameters, const Assignment& assignment) {
  Json body = {{"model", parameters.model}, {"stream", true}, {"messages", make_messages(assignment)}};
  const auto add_optional = [&](const std::string& name, Json value) {
    if (std::ranges::find(parameters.dropped, name) == parameters.dropped.end())
      body[name] = std::move(value);
  };
  add_optional("stream_options", {{"include_usage", true}});
  if (config.llm_response_format != "none") {
    add_optional("response_format", response_format(config.llm_response_format, assignment));
  }
  if (config.llm_max_tokens_param != "none") add_optional(config.llm_max_tokens_param, config.llm_max_tokens);
  if (config.llm_reasoning_effort != "omit") add_optional("reasoning_effort", config.llm_reasoning_effort);
  if (!config.llm_temperature.empty()) {
    add_optional("temperature", std::strtod(config.llm_temperature.c_str(), nullptr));
  }
  if (!config.llm_extra_json.empty()) body.update(parse_json(config.llm_extra_json));
  return body;
}

}  // namespace gp::llm
