#pragma once

#include <string>

#include "core/base/json.h"
#include "core/project/start_request.h"

/// A sound request for two seats and 30 minutes, and a section as a plan for it names one.
namespace sample {

inline gp::project::StartRequest request() {
  gp::project::StartRequest request;
  request.project_id = gp::ProjectId("proj_1");
  request.chat_id = gp::ChatId("chat_1");
  request.topic = "Fractions";
  request.life_skill = "Problem Solving";
  request.group_size = 2;
  request.duration_min = 30;
  request.owner_email = gp::Secret("huda@school.ae");
  return request;
}

inline gp::Json planned(const std::string& id, const std::string& name, int minutes) {
  return {
      {"id", id},
      {"name", name},
      {"math_objective", "Compare fractions with unlike denominators"},
      {"constraints", {{"time_min", minutes}, {"materials", {"paper", "ruler"}}}},
      {"success_criteria", {{{"metric", "price_error_pct"}, {"target_op", "<="}, {"target_value", 0.02}}}},
      {"roles", {"teacher", "shared", "seat_1", "seat_2"}}};
}

}  // namespace sample
