#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/project/document.h"
#include "core/project/json_schema.h"
#include "tests/support/stack.h"

namespace e2e {

/// The stack of this binary: made before the first case, ended after the last, and no process may have left a
/// sanitizer's report.
struct OnStack {
  static inline support::Stack* stack = nullptr;
  static inline std::map<std::string, std::string> settings;

  OnStack() { stack = new support::Stack(settings); }
  ~OnStack() {
    stack->end();
    BOOST_TEST(stack->sanitizer_reports() == "");
    delete stack;
  }
};

inline support::Stack& stack() { return *OnStack::stack; }

/// JSON compared without regard to the order of members: PostgreSQL's jsonb does not keep it.
inline nlohmann::json unordered(const gp::Json& value) { return nlohmann::json::parse(gp::dump_json(value)); }

inline std::vector<std::string> names_of(const std::vector<support::StreamEvent>& events) {
  std::vector<std::string> names;
  for (const auto& event : events) names.push_back(event.name);
  return names;
}

/// The document that the request and the events fold to, as any client could compute it.
inline gp::Json fold(const gp::Json& body, const std::string& run_id,
                     const std::vector<support::StreamEvent>& events) {
  gp::project::Document document(
      gp::RunId(run_id), std::get<gp::project::StartRequest>(gp::project::parse_start_request(body)), "");
  for (const auto& event : events) {
    document.apply({event.id, gp::project::parse_event_type(event.name).value(), event.data});
  }
  return document.json();
}

/// What must hold of every run at its end, whatever happened to it: ids 1, 2, 3 ..., one terminal event and
/// it is the last, no section twice, and events, document and schema agree.
inline void check_consistent(const gp::Json& body, const std::string& run_id,
                             const std::vector<support::StreamEvent>& events) {
  BOOST_REQUIRE(!events.empty());
  std::vector<std::string> completed;
  for (std::size_t i = 0; i < events.size(); ++i) {
    BOOST_TEST(events[i].id == static_cast<std::int64_t>(i + 1));
    BOOST_TEST(events[i].data.at("run_id") == run_id);
    BOOST_TEST(events[i].data.at("project_id") == body.at("project_id"));
    BOOST_TEST(events[i].data.contains("at"));
    if (events[i].name == "section_completed")
      completed.push_back(events[i].data.at("section_id").get<std::string>());
  }
  std::ranges::sort(completed);
  BOOST_TEST((std::ranges::adjacent_find(completed) == completed.end()));
  BOOST_TEST((events.back().name == "run_completed" || events.back().name == "error"));
  const gp::Json document = stack().status(body.at("project_id").get<std::string>());
  BOOST_TEST((unordered(document) == unordered(fold(body, run_id, events))));
  const auto faults = gp::project::JsonSchema(gp::project::project_schema()).check(document);
  BOOST_TEST(faults.empty(), (faults.empty() ? "" : faults.front().field + " " + faults.front().problem));
}

}  // namespace e2e
