#pragma once

#include <string>

#include "core/base/json.h"
#include "tests/unit/sample_request.h"

/// A small sound project in proj.v1's shape: two sections, two seats, 30 minutes.
namespace sample {

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
