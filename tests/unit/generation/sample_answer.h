#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/llm/assignment.h"
#include "core/project/start_request.h"
#include "core/runlog/run_queue.h"

/// A small answer as a model writes it (lists of key and value), for two sections and two seats.
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

inline gp::runlog::Claim claim() {
  gp::runlog::Claim claim;
  claim.lease = {gp::RunId("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"),
                 gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666")};
  claim.request = request();
  return claim;
}

inline gp::llm::Assignment assignment() {
  gp::llm::Assignment assignment;
  assignment.request = request();
  assignment.section_ids = {"sec_01", "sec_02"};
  assignment.wanted = assignment.section_ids;
  return assignment;
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
  return {{"sections", {planned("sec_01", "Launch", 10), planned("sec_02", "CoreTask", 18)}}};
}

inline gp::Json part(const std::string& objective, const std::string& key, const std::string& value) {
  return {{"objective", objective},
          {"steps", {"Read your card", "Compare the two fractions", "Write the result down"}},
          {"data", gp::Json::array({{{"key", key}, {"value", value}}})},
          {"extras", gp::Json::array({{{"key", "hint"}, {"value", "Use a common denominator"}}})}};
}

inline gp::Json section() {
  return {{"teacher", part("Check the shares", "answer_key", "5/12 is larger than 3/8")},
          {"shared", part("Find the better offer", "question", "Which stall is cheaper?")},
          {"seats",
           {{"1", part("You hold stall A", "stall_a", "5/12")},
            {"2", part("You hold stall B", "stall_b", "3/8")}}}};
}

inline gp::Json answer() {
  return {{"plan", plan()}, {"sections", {{"sec_01", section()}, {"sec_02", section()}}}};
}

}  // namespace sample
