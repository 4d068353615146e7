#pragma once

#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/base/json.h"
#include "core/llm/assignment.h"

namespace gp::llm {

/// What varies from call to call in the parameters.
struct CallParameters {
  std::string model;
  std::vector<std::string> dropped;  ///< optional parameters that the provider has refused for this model
};

/// The body of POST {base}/chat/completions for one assignment.
Json make_call_body(const Config& config, const CallParameters& parameters, const Assignment& assignment);

}  // namespace gp::llm
