#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/start_request.h"

namespace gp::llm {

/// What one LLM call is asked to write. A first call wants the plan and every section; a later one keeps what
/// is finished and asks only for the missing sections, with the plan and the finished ones as context.
struct Assignment {
  project::StartRequest request;         ///< owner_email, project_id and chat_id of it are never sent
  std::vector<std::string> section_ids;  ///< every section of the run, "sec_01" ..., in order
  std::vector<std::string> wanted;       ///< those this call writes, in order
  Json plan;                       ///< proj.v1's plan where it is finished, else null: the call writes it too
  Json finished = Json::object();  ///< proj.v1 sections that are finished, by id
  std::vector<Fault> faults;       ///< what was wrong with an earlier answer: this call repairs it
};

/// The sections that the time allows, "sec_01" .. : up to 30 min 2, up to 60 min 3, up to 90 min 4, else 5.
std::vector<std::string> section_ids_for(int duration_min);

}  // namespace gp::llm
