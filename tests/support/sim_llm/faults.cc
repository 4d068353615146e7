#include "tests/support/sim_llm/faults.h"

#include <algorithm>
#include <stdexcept>

namespace sim {

using gp::Json;

const std::vector<std::string>& Fault::kinds() {
  static const std::vector<std::string> all = {"rate_limit",
                                               "quota",
                                               "server_error",
                                               "overloaded",
                                               "model_not_found",
                                               "unsupported_parameter",
                                               "bad_key",
                                               "html_502",
                                               "garbage_http",
                                               "slow_start",
                                               "close_early",
                                               "cut",
                                               "stream_error",
                                               "malformed_chunk",
                                               "silence",
                                               "silence_midway",
                                               "keepalive_comments",
                                               "no_usage",
                                               "split_emoji",
                                               "length",
                                               "content_filter",
                                               "refusal",
                                               "empty",
                                               "garbage",
                                               "prose_fence",
                                               "think",
                                               "constraint",
                                               "blocked",
                                               "personal_data",
                                               "seats_missing",
                                               "key_order",
                                               "wrong_type"};
  return all;
}

Fault Fault::from(const Json& json) {
  Fault fault;
  try {
    fault.fault = json.at("fault").get<std::string>();
    fault.match = json.value("match", std::string());
    fault.times = json.value("times", 1);
    fault.after_sections = json.value("after_sections", 1);
    fault.retry_after_s = json.value("retry_after_s", 0.0);
    fault.parameter = json.value("parameter", std::string());
  } catch (const Json::exception& error) {
    throw std::invalid_argument(error.what());
  }
  if (std::ranges::find(kinds(), fault.fault) == kinds().end()) {
    throw std::invalid_argument("fault '" + fault.fault + "' is not known");
  }
  return fault;
}

std::optional<Fault> FaultList::take(const Json& call_body) {
  const std::string text = gp::dump_json(call_body.at("messages")) + call_body.value("model", std::string());
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (text.find(fault->match) == std::string::npos) continue;
    if (!fault->parameter.empty() && !call_body.contains(fault->parameter)) continue;
    Fault taken = *fault;
    if (fault->times > 0 && --fault->times == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

}  // namespace sim
