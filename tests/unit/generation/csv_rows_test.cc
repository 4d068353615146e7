#include "core/generation/csv_rows.h"

#include <optional>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/generation/spending.h"

using gp::Fault;
using gp::Json;
using gp::generation::Answer;
using gp::generation::CsvRow;
using gp::generation::Spending;
using gp::llm::CallStatus;

namespace {

Answer answer(CallStatus status, gp::project::Usage usage) {
  Answer answer;
  answer.result.status = status;
  answer.result.usage = usage;
  return answer;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(csv_rows)

BOOST_AUTO_TEST_CASE(a_call_says_how_it_ended_and_what_was_wrong_with_its_answer) {
  Answer cut = answer(CallStatus::kTruncated, {100, 0, 50});
  cut.result.detail = "finish_reason length";
  cut.parse_problem = "the answer's JSON is not closed";
  const CsvRow row = llm_call_row(cut, "m", "0.2", 0.01);
  BOOST_TEST(row.stage == "llm_call");
  BOOST_TEST(row.decision_summary == "truncated: finish_reason length; the answer's JSON is not closed");
  BOOST_TEST(row.temperature == "0.2");
  BOOST_TEST(row.prompt_tokens.value() == 100);
  BOOST_TEST(row.completion_tokens.value() == 50);
  BOOST_TEST(row.cost_usd.value() == 0.01);
  BOOST_TEST(row.warning == "");
}

BOOST_AUTO_TEST_CASE(what_is_not_known_stays_empty_and_is_a_warning) {
  const CsvRow unbilled = llm_call_row(answer(CallStatus::kUnavailable, {}), "m", "", std::nullopt);
  BOOST_TEST(unbilled.temperature == "default");
  BOOST_TEST(!unbilled.prompt_tokens.has_value());
  BOOST_TEST(!unbilled.completion_tokens.has_value());
  BOOST_TEST(unbilled.warning == "usage_missing");
  BOOST_TEST(llm_call_row(answer(CallStatus::kComplete, {1, 0, 1}), "m", "", std::nullopt).warning ==
             "price_unknown");
  BOOST_TEST(gp::generation::interrupted_call_row("m", "run/prompt.json").warning == "usage_missing");
}

BOOST_AUTO_TEST_CASE(a_part_names_its_first_fault_and_what_was_redacted) {
  BOOST_TEST(gp::generation::part_row("plan", {}, 0).stage == "plan");
  BOOST_TEST(gp::generation::part_row("plan", {}, 0).decision_summary == "plan accepted");
  const CsvRow refused =
      gp::generation::part_row("sections.sec_02", {{"sections.sec_02.seats.3", "is missing"}, {"x", "y"}}, 2);
  BOOST_TEST(refused.stage == "section");
  BOOST_TEST(refused.decision_summary ==
             "sections.sec_02 refused: 2 faults, first: sections.sec_02.seats.3 is missing");
  BOOST_TEST(refused.warning == "personal data removed from 2 texts");
}

BOOST_AUTO_TEST_CASE(a_validation_lists_the_checks_that_failed) {
  const Json validator = {{"ok", false},
                          {"checks",
                           {{{"id", "seats"}, {"ok", false}, {"detail", ""}},
                            {{"id", "plan"}, {"ok", true}, {"detail", ""}},
                            {{"id", "minutes"}, {"ok", false}, {"detail", ""}}}}};
  const CsvRow row = gp::generation::validate_row(validator);
  BOOST_TEST(row.decision_summary == "not ok");
  BOOST_TEST(row.warning == "seats minutes");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(spending)

BOOST_AUTO_TEST_CASE(calls_add_up) {
  Spending spending;
  BOOST_TEST(spending.usage().prompt_tokens == 0);
  BOOST_TEST(spending.cost_usd().value() == 0.0);
  spending.add({100, 40, 10}, 0.5);
  spending.add({200, 0, 20}, 0.25);
  BOOST_TEST(spending.usage().prompt_tokens == 300);
  BOOST_TEST(spending.usage().cached_tokens == 40);
  BOOST_TEST(spending.usage().completion_tokens == 30);
  BOOST_TEST(spending.cost_usd().value() == 0.75);
}

BOOST_AUTO_TEST_CASE(one_unknown_part_makes_the_sum_unknown_for_good) {
  Spending unpriced;
  unpriced.add({100, 0, 10}, std::nullopt);
  unpriced.add({100, 0, 10}, 0.5);
  BOOST_TEST(unpriced.usage().prompt_tokens == 200);
  BOOST_TEST(!unpriced.cost_usd().has_value());

  Spending interrupted;
  interrupted.add_unknown();
  interrupted.add({100, 0, 10}, 0.5);
  BOOST_TEST(interrupted.usage().prompt_tokens == -1);
  BOOST_TEST(interrupted.usage().completion_tokens == -1);
  BOOST_TEST(!interrupted.cost_usd().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
