#pragma once

#include <string>

#include "core/base/json.h"
#include "core/project/start_request.h"

/// A small sound project in proj.v1's shape: two sections, two seats, 30 minutes.
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

inline gp::Json plan() {
  return {{"blocklist_ok", true},
          {"sections", {planned("sec_01", "Launch", 10), planned("sec_02", "CoreTask", 18)}}};
}

inline gp::Json part(const std::string& objective, const std::string& key, const std::string& value) {
  gp::Json data = gp::Json::object();
  data[key] = value;
  return {{"objective", objective},
          {"steps", {"Read your card", "Compare the two fractions", "Write the result down"}},
          {"data", data},
          {"extras", gp::Json::object()}};
}

inline gp::Json section() {
  return {{"teacher", part("Check the shares", "answer_key", "5/12 is larger than 3/8")},
          {"shared", part("Find the better offer", "question", "Which stall is cheaper?")},
          {"seats",
           {{"1", part("You hold stall A", "stall_a", "5/12")},
            {"2", part("You hold stall B", "stall_b", "3/8")}}}};
}

}  // namespace sample
