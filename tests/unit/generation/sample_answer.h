#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/llm/assignment.h"
#include "core/runlog/run_queue.h"
#include "tests/unit/sample_request.h"

/// A small answer as a model writes it (lists of key and value), for two sections and two seats.
namespace sample {

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
