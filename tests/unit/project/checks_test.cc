#include "core/project/checks.h"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/unit/project/sample_project.h"

using gp::Json;
using gp::project::Blocklist;
using gp::project::check_plan;
using gp::project::check_section;

namespace {

std::string first_field(const std::vector<gp::Fault>& faults) {
  return faults.empty() ? "none" : faults.front().field;
}

std::string fault_of_plan(const char* pointer, const Json& value) {
  Json plan = sample::plan();
  plan[Json::json_pointer(pointer)] = value;
  return first_field(check_plan(plan, sample::request()));
}

std::string fault_of_section(const char* pointer, const Json& value) {
  Json section = sample::section();
  section[Json::json_pointer(pointer)] = value;
  return first_field(check_section("sec_01", section, sample::request()));
}

Json whole_document() {
  return {{"plan", sample::plan()},
          {"sections", {{"sec_01", sample::section()}, {"sec_02", sample::section()}}}};
}

const Json& row(const Json& validator, const std::string& id) {
  for (const Json& check : validator.at("checks")) {
    if (check.at("id") == id) return check;
  }
  throw std::runtime_error("no check " + id);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(checks)

BOOST_AUTO_TEST_CASE(a_sound_plan_and_section_pass) {
  BOOST_TEST(check_plan(sample::plan(), sample::request()).empty());
  BOOST_TEST(check_section("sec_01", sample::section(), sample::request()).empty());
}

BOOST_AUTO_TEST_CASE(a_plan_is_refused_by_the_member_that_is_wrong) {
  BOOST_TEST(fault_of_plan("/sections/1/constraints/time_min", 21) == "plan.sections");  // 31 of 30 minutes
  BOOST_TEST(fault_of_plan("/sections/0/constraints/time_min", 0) == "plan.sections[0].constraints.time_min");
  BOOST_TEST(fault_of_plan("/sections/1/id", "sec_01") == "plan.sections[1].id");
  BOOST_TEST(fault_of_plan("/sections/1/id", "sec_03") == "plan.sections[1].id");
  BOOST_TEST(fault_of_plan("/sections/0/roles", {"teacher", "shared", "seat_1"}) ==
             "plan.sections.sec_01.roles");
  BOOST_TEST(fault_of_plan("/sections/0/roles", {"teacher", "shared", "seat_1", "seat_2", "seat_2"}) ==
             "plan.sections.sec_01.roles");
  BOOST_TEST(fault_of_plan("/sections/0/success_criteria/0/target_op", "~").starts_with("plan.sections[0]"));
  BOOST_TEST(
      fault_of_plan("/sections/0/success_criteria/0/metric", "Price Error").starts_with("plan.sections[0]"));
  BOOST_TEST(
      fault_of_plan("/sections/0/success_criteria/0/target_value", 2e9).starts_with("plan.sections[0]"));
  BOOST_TEST(fault_of_plan("/sections/0/name", " ") == "plan.sections[0].name");
  BOOST_TEST(fault_of_plan("/sections", Json::array()) == "plan.sections");
  BOOST_TEST(first_field(check_plan(nullptr, sample::request())) == "plan");
}

BOOST_AUTO_TEST_CASE(a_section_is_refused_by_the_member_that_is_wrong) {
  BOOST_TEST(fault_of_section("/seats/3", sample::section()["shared"]) == "sections.sec_01.seats");
  BOOST_TEST(fault_of_section("/shared/steps", Json::array()) == "sections.sec_01.shared.steps");
  BOOST_TEST(fault_of_section("/shared/steps/0", std::string(401, 'x')) == "sections.sec_01.shared.steps[0]");
  BOOST_TEST(fault_of_section("/shared/objective", "a\u202Eb") == "sections.sec_01.shared.objective");
  BOOST_TEST(fault_of_section("/teacher/data/key", std::string(70'000, 'x')) == "sections.sec_01");
  Json lacking = sample::section();
  lacking["seats"].erase("2");
  BOOST_TEST(first_field(check_section("sec_01", lacking, sample::request())) == "sections.sec_01.seats");
}

BOOST_AUTO_TEST_CASE(a_whole_document_gets_one_row_for_each_check) {
  const Json validator = validate(whole_document(), sample::request(), Blocklist::load(""));
  BOOST_TEST(validator.at("ok") == true);
  for (const Json& check : validator.at("checks")) {
    BOOST_TEST(check.at("ok") == true, gp::dump_json(check));
  }
  for (const char* id : {"time_budget", "seats", "roles", "blocklist", "personal_data", "seats_differ"})
    row(validator, id);
}

BOOST_AUTO_TEST_CASE(an_error_fails_the_document_and_a_warning_does_not) {
  const Blocklist blocklist = Blocklist::load("");
  Json document = whole_document();
  document["sections"]["sec_01"]["seats"]["2"]["data"] = document["sections"]["sec_01"]["seats"]["1"]["data"];
  document["plan"]["sections"][0]["success_criteria"][0]["target_value"] = 2;
  Json validator = validate(document, sample::request(), blocklist);
  BOOST_TEST(validator.at("ok") == true);
  BOOST_TEST(row(validator, "seats_differ").at("ok") == false);
  BOOST_TEST(row(validator, "seats_differ").at("detail").get<std::string>().starts_with("warning: "));
  BOOST_TEST(row(validator, "percentages").at("ok") == false);

  document = whole_document();
  document["sections"]["sec_01"]["shared"]["steps"][0] = "mail huda@school.ae";
  validator = validate(document, sample::request(), blocklist);
  BOOST_TEST(validator.at("ok") == false);
  BOOST_TEST(row(validator, "personal_data").at("ok") == false);

  document = whole_document();
  document["sections"]["sec_01"]["shared"]["steps"][0] = "buy vodka";
  BOOST_TEST(row(validate(document, sample::request(), blocklist), "blocklist").at("ok") == false);

  document = whole_document();
  document["sections"].erase("sec_02");
  BOOST_TEST(row(validate(document, sample::request(), blocklist), "section_ids").at("ok") == false);
}

BOOST_AUTO_TEST_SUITE_END()
