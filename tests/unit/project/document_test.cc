#include "core/project/document.h"

#include <chrono>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/project/json_schema.h"
#include "tests/unit/project/sample_project.h"

using gp::Json;
using gp::project::Document;
using gp::project::EventType;
using gp::project::JsonSchema;
using gp::project::project_schema;

namespace {

const gp::RunId kRun("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");

struct Fixture {
  Document document{kRun, sample::request(), ""};
  std::int64_t id = 0;

  void apply(EventType type, Json data) { document.apply({++id, type, std::move(data)}); }
  void start(int attempt = 1) {
    apply(EventType::kRunStarted,
          {{"attempt", attempt}, {"model", "m"}, {"resumed_sections", Json::array()}});
  }
  void plan() { apply(EventType::kPlanCompleted, {{"plan", sample::plan()}}); }
  void section(const std::string& section_id) {
    apply(EventType::kSectionCompleted, {{"section_id", section_id},
                                         {"name", "n"},
                                         {"index", 1},
                                         {"total", 2},
                                         {"section", sample::section()}});
  }
  void complete() {
    apply(EventType::kRunCompleted, {{"sections", 2},
                                     {"duration_ms", 1},
                                     {"tokens", Json::object()},
                                     {"cost_est", nullptr},
                                     {"validator", {{"ok", true}, {"checks", Json::array()}}}});
  }
  void fail() {
    apply(EventType::kError, {{"code", "timeout"}, {"message", "m"}, {"stage", "run"}, {"retryable", true}});
  }
  std::string status() const { return document.json().at("status").get<std::string>(); }
  void conforms() const {
    const auto faults = JsonSchema(project_schema()).check(document.json());
    BOOST_TEST(faults.empty(), (faults.empty() ? "" : faults.front().field + " " + faults.front().problem));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(document, Fixture)

BOOST_AUTO_TEST_CASE(status_follows_the_events_and_the_schema_holds_at_every_step) {
  conforms();
  BOOST_TEST(status() == "planning");
  start();
  BOOST_TEST(status() == "planning");
  BOOST_TEST(!this->document.has_plan());
  plan();
  BOOST_TEST(status() == "generating");
  conforms();
  section("sec_02");
  BOOST_TEST((this->document.missing_sections() == std::vector<std::string>{"sec_01"}));
  section("sec_01");
  BOOST_TEST(status() == "validating");
  conforms();
  complete();
  BOOST_TEST(status() == "complete");
  conforms();
  std::vector<std::string> order;
  for (const auto& [name, value] : this->document.sections().items()) order.push_back(name);
  BOOST_TEST((order == std::vector<std::string>{"sec_01", "sec_02"}));
}

BOOST_AUTO_TEST_CASE(the_members_are_those_of_the_canonical_sample_in_its_order) {
  std::vector<std::string> names;
  for (const auto& [name, value] : this->document.json().items()) names.push_back(name);
  BOOST_TEST((names == std::vector<std::string>{"schema_version", "run_id", "chat_id", "status", "meta",
                                                "plan", "sections", "validator", "logs"}));
  BOOST_TEST(this->document.json().at("meta").at("owner_email") == "redacted@school.ae");
  BOOST_TEST(this->document.json().at("logs").at("csv_url").is_null());
  BOOST_TEST(this->document.json().at("logs").at("events_replayable") == true);
}

BOOST_AUTO_TEST_CASE(an_error_keeps_the_sections_and_the_next_attempt_goes_on_with_them) {
  start();
  plan();
  section("sec_01");
  fail();
  BOOST_TEST(status() == "error");
  BOOST_TEST(this->document.sections().size() == 1u);
  conforms();
  start(2);
  BOOST_TEST(status() == "generating");
  BOOST_TEST((this->document.completed_sections() == std::vector<std::string>{"sec_01"}));
}

BOOST_AUTO_TEST_CASE(personal_data_in_the_request_does_not_reach_the_document) {
  auto request = sample::request();
  request.topic = "Fractions, ask huda@school.ae";
  BOOST_TEST(gp::dump_json(Document(kRun, request, "").json()).find("huda@") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_event_without_what_it_promises_is_refused) {
  start();
  BOOST_CHECK_THROW(apply(EventType::kPlanCompleted, Json::object()), gp::Error);
  BOOST_CHECK_THROW(apply(EventType::kPlanCompleted, {{"plan", {{"sections", Json::array()}}}}), gp::Error);
  BOOST_CHECK_THROW(section("sec_01"), gp::Error);  // no plan yet
  plan();
  BOOST_CHECK_THROW(section("sec_09"), gp::Error);
  BOOST_CHECK_THROW(apply(EventType::kError, {{"code", "x"}}), gp::Error);
}

BOOST_AUTO_TEST_CASE(the_schema_refuses_what_is_not_proj_v1) {
  const JsonSchema schema(project_schema());
  const auto fault_of = [&](const char* pointer, const Json& value) {
    Document whole = this->document;
    Json json = whole.json();
    json[Json::json_pointer(pointer)] = value;
    const auto faults = schema.check(json);
    return faults.empty() ? std::string("none") : faults.front().field;
  };
  BOOST_TEST(fault_of("/schema_version", "proj.v2") == "schema_version");
  BOOST_TEST(fault_of("/status", "done") == "status");
  BOOST_TEST(fault_of("/meta/group_size", 9) == "meta.group_size");
  BOOST_TEST(fault_of("/meta/group_size", "3") == "meta.group_size");
  BOOST_TEST(fault_of("/extra", 1) != "none");
  BOOST_TEST(fault_of("/sections/first", sample::section()) != "none");
  BOOST_TEST(fault_of("/validator", {{"ok", 1}, {"checks", Json::array()}}) == "validator.ok");
}

BOOST_AUTO_TEST_CASE(a_value_that_is_wrong_everywhere_has_a_bounded_list_of_faults) {
  const JsonSchema schema(
      Json{{"type", "object"},
           {"properties", {{"list", {{"type", "array"}, {"items", {{"type", "string"}}}}}}},
           {"additionalProperties", false}});
  Json value = {{"list", Json::array()}};
  for (int i = 0; i < 64'000; ++i) value["list"].push_back(i);
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(schema.check(value).size() == 50u);
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(20)));

  std::string name;
  while (name.size() < 1000) name += "م";
  for (const gp::Fault& fault : schema.check({{name, 1}})) {
    BOOST_TEST(gp::utf8::length(fault.field) <= 200u);
    BOOST_TEST(gp::utf8::length(fault.problem) <= 200u);
    BOOST_TEST((gp::utf8::is_valid(fault.field) && gp::utf8::is_valid(fault.problem)));
  }
  const std::string filler(160, 'x');
  for (const gp::Fault& fault : schema.check({{filler + " huda@school.ae", 1}}))
    BOOST_TEST(fault.problem.find("huda") == std::string::npos, fault.problem);
}

BOOST_AUTO_TEST_SUITE_END()
