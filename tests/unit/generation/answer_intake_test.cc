#include "core/generation/answer_intake.h"

#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/unit/generation/sample_answer.h"

using gp::Json;
using gp::generation::AnswerIntake;
using gp::generation::CsvLog;
using gp::generation::StepWriter;
using gp::llm::Piece;
using gp::project::EventType;

namespace {

struct Fixture {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("intake-test-" + gp::make_uuid());
  std::vector<gp::project::Step> steps;
  gp::runlog::Claim claim = sample::claim();
  gp::llm::Assignment assignment = sample::assignment();
  gp::project::Blocklist blocklist = gp::project::Blocklist::load("");
  StepWriter writer{claim, "", [this](const gp::project::Step& step) { steps.push_back(step); }};
  CsvLog log{folder, claim.lease.run_id};
  AnswerIntake intake{assignment, blocklist, writer, log};

  Fixture() {
    writer.write(EventType::kRunStarted,
                 {{"attempt", 1}, {"model", "m"}, {"resumed_sections", Json::array()}});
  }
  ~Fixture() { std::filesystem::remove_all(folder); }

  void take_plan(const Json& value = sample::plan()) { intake.take({Piece::Kind::kPlan, "", value}); }
  void open(const std::string& id) { intake.take({Piece::Kind::kSectionOpened, id, nullptr}); }
  void take_section(const std::string& id, const Json& value = sample::section()) {
    intake.take({Piece::Kind::kSection, id, value});
  }
  std::vector<std::string> events() const {
    std::vector<std::string> names;
    for (const auto& step : steps) {
      const std::string id = step.event.data.value("section_id", std::string());
      names.push_back(std::string(name_of(step.event.type)) + (id.empty() ? "" : " " + id));
    }
    return names;
  }
};

const std::vector<std::string> kWholeAnswer = {"run_started",
                                               "plan_completed",
                                               "section_started sec_01",
                                               "section_completed sec_01",
                                               "section_started sec_02",
                                               "section_completed sec_02"};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(answer_intake, Fixture)

BOOST_AUTO_TEST_CASE(a_sound_answer_becomes_one_event_for_each_part_as_it_arrives) {
  take_plan();
  for (const char* id : {"sec_01", "sec_02"}) {
    open(id);
    take_section(id);
  }
  BOOST_TEST(intake.faults().empty());
  BOOST_TEST(events() == kWholeAnswer, boost::test_tools::per_element());
  for (std::size_t i = 0; i < steps.size(); ++i)
    BOOST_TEST(steps[i].event.id == static_cast<std::int64_t>(i + 1));
  BOOST_TEST(steps.back().event.data.at("index") == 2);
  BOOST_TEST(steps.back().event.data.at("total") == 2);
  BOOST_TEST(writer.document().json().at("status") == "validating");
}

BOOST_AUTO_TEST_CASE(sections_that_come_before_the_plan_wait_for_it) {
  open("sec_01");
  take_section("sec_01");
  BOOST_TEST(steps.size() == 1u);
  take_plan();
  open("sec_02");
  take_section("sec_02");
  BOOST_TEST(events() == kWholeAnswer, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_faulty_section_is_not_stored_and_the_next_one_is) {
  take_plan();
  Json faulty = sample::section();
  faulty["seats"].erase("2");
  open("sec_01");
  take_section("sec_01", faulty);
  open("sec_02");
  take_section("sec_02");
  BOOST_TEST(!intake.faults().empty());
  BOOST_TEST(!intake.has_blocked());
  BOOST_TEST((writer.document().completed_sections() == std::vector<std::string>{"sec_02"}));
  BOOST_TEST((writer.document().missing_sections() == std::vector<std::string>{"sec_01"}));
}

BOOST_AUTO_TEST_CASE(a_plan_over_the_time_is_refused_and_its_sections_are_ignored) {
  Json plan = sample::plan();
  plan["sections"][1]["constraints"]["time_min"] = 25;
  take_plan(plan);
  open("sec_01");
  take_section("sec_01");
  BOOST_TEST(!intake.faults().empty());
  BOOST_TEST(steps.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_blocked_word_is_told_by_its_category_and_never_stored) {
  take_plan();
  Json blocked = sample::section();
  blocked["shared"]["steps"][0] = "Pour the whisky into the cups";
  take_section("sec_01", blocked);
  BOOST_TEST(intake.has_blocked());
  BOOST_REQUIRE(!intake.faults().empty());
  BOOST_TEST(intake.faults().front().problem.find("whisky") == std::string::npos);
  BOOST_TEST(intake.faults().front().field == "sections.sec_01.shared.steps[0]");
  BOOST_TEST(writer.document().completed_sections().empty());
}

BOOST_AUTO_TEST_CASE(personal_data_is_removed_before_a_section_is_stored) {
  take_plan();
  Json personal = sample::section();
  personal["teacher"]["steps"][0] = "Write to huda@school.ae or call +971 50 123 4567";
  take_section("sec_01", personal);
  BOOST_TEST(intake.faults().empty());
  for (const auto& step : steps) {
    const std::string text = gp::dump_json(step.event.data) + step.document;
    BOOST_TEST(text.find("huda@") == std::string::npos);
    BOOST_TEST(text.find("123 4567") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_section_that_cannot_be_read_is_a_fault_of_its_own) {
  take_plan();
  intake.take({Piece::Kind::kSection, "sec_01", nullptr, "cannot be read: JSON is malformed at byte 7"});
  take_section("sec_02");
  BOOST_TEST((intake.faults() ==
              std::vector<gp::Fault>{{"sections.sec_01", "cannot be read: JSON is malformed at byte 7"}}));
  BOOST_TEST((writer.document().completed_sections() == std::vector<std::string>{"sec_02"}));
}

BOOST_AUTO_TEST_CASE(what_is_too_long_once_it_is_redacted_is_a_fault_and_not_stored) {
  take_plan();
  Json personal = sample::section();
  std::string step;
  for (int i = 0; i < 50; ++i)
    step += "a@b.co, ";  // 400 characters; "[email]" is longer than what it replaces
  personal["teacher"]["steps"][0] = step.substr(0, step.size() - 1);
  take_section("sec_01", personal);
  BOOST_REQUIRE(!intake.faults().empty());
  BOOST_TEST(intake.faults().front().field == "sections.sec_01.teacher.steps[0]");
  BOOST_TEST(writer.document().completed_sections().empty());
}

BOOST_AUTO_TEST_CASE(a_discarded_section_is_taken_again_and_replaces_the_old_one) {
  take_plan();
  take_section("sec_01");
  take_section("sec_02");
  writer.discard_section("sec_01");
  BOOST_TEST((writer.missing_sections() == std::vector<std::string>{"sec_01"}));
  BOOST_TEST((writer.finished_sections() == std::vector<std::string>{"sec_02"}));
  BOOST_TEST(!writer.finished().contains("sec_01"));
  Json better = sample::section();
  better["shared"]["objective"] = "Find the better offer of the two";
  take_section("sec_01", better);
  BOOST_TEST(writer.missing_sections().empty());
  BOOST_TEST(writer.document().sections().at("sec_01").at("shared").at("objective") ==
             "Find the better offer of the two");
}

BOOST_AUTO_TEST_CASE(sections_of_an_earlier_plan_are_missing_for_a_successor_as_well) {
  take_plan();
  take_section("sec_01");
  writer.discard_plan();
  BOOST_TEST(!writer.has_plan());
  BOOST_TEST(writer.finished_sections().empty());
  AnswerIntake again(assignment, blocklist, writer, log);
  again.take({Piece::Kind::kPlan, "", sample::plan()});
  again.take({Piece::Kind::kSection, "sec_02", sample::section()});
  gp::runlog::Claim next = claim;
  for (const auto& step : steps) next.events.push_back(step.event);
  const StepWriter successor(next, "", [](const gp::project::Step&) {});
  for (const StepWriter* any : {static_cast<const StepWriter*>(&writer), &successor}) {
    BOOST_TEST(any->has_plan());
    BOOST_TEST((any->finished_sections() == std::vector<std::string>{"sec_02"}));
    BOOST_TEST((any->missing_sections() == std::vector<std::string>{"sec_01"}));
  }
}

BOOST_AUTO_TEST_CASE(what_was_stored_is_judged_by_todays_rules) {
  const Json plan = {{"sections", sample::plan().at("sections")}};
  BOOST_TEST(gp::generation::faults_of_stored_plan(plan, claim.request, blocklist).empty());
  gp::project::StartRequest shorter = claim.request;
  shorter.duration_min = 20;
  BOOST_TEST(!gp::generation::faults_of_stored_plan(plan, shorter, blocklist).empty());
  take_plan();
  take_section("sec_01");
  Json section = writer.document().sections().at("sec_01");
  const auto faults = [&] {
    return gp::generation::faults_of_stored_section("sec_01", section, claim.request, blocklist);
  };
  BOOST_TEST(faults().empty());
  section["shared"]["steps"][0] = "Pour the whisky into the cups";
  BOOST_TEST(faults().size() == 1u);
  section["shared"]["steps"][0] = "Write to huda@school.ae";
  BOOST_TEST(faults().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_section_that_is_not_wanted_or_comes_again_is_ignored) {
  take_plan();
  take_section("sec_09");
  take_section("sec_01");
  take_section("sec_01");
  BOOST_TEST(writer.document().completed_sections().size() == 1u);
  BOOST_TEST(steps.size() == 4u);
}

BOOST_AUTO_TEST_CASE(the_document_of_each_step_is_the_fold_up_to_its_event) {
  take_plan();
  take_section("sec_01");
  take_section("sec_02");
  gp::project::Document fold(claim.lease.run_id, claim.request, "");
  for (const auto& step : steps) {
    fold.apply(step.event);
    BOOST_TEST(step.document == gp::dump_json(fold.json()));
  }
}

BOOST_AUTO_TEST_CASE(a_successor_continues_the_numbering_and_keeps_what_is_there) {
  take_plan();
  take_section("sec_01");
  gp::runlog::Claim next = claim;
  for (const auto& step : steps) next.events.push_back(step.event);
  std::vector<gp::project::Step> later;
  StepWriter successor(next, "", [&](const gp::project::Step& step) { later.push_back(step); });
  successor.write(EventType::kRunStarted, {{"attempt", 2}, {"model", "m"}, {"resumed_sections", {"sec_01"}}});
  BOOST_TEST(later.front().event.id == static_cast<std::int64_t>(steps.size() + 1));
  BOOST_TEST((successor.document().completed_sections() == std::vector<std::string>{"sec_01"}));
}

BOOST_AUTO_TEST_SUITE_END()
