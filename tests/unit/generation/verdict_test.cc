#include "core/generation/verdict.h"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/utf8.h"
#include "core/llm/provider_error.h"

using gp::Fault;
using gp::generation::Answer;
using gp::generation::judge;
using gp::generation::Sign;
using gp::generation::sign_of;
using gp::generation::Standing;
using gp::generation::Verdict;
using gp::llm::CallStatus;
using Next = Verdict::Next;

namespace {

Answer answer_with(CallStatus status) {
  Answer answer;
  answer.result.status = status;
  answer.result.detail = "what the provider said";
  return answer;
}

Standing standing_with(int calls_left) {
  Standing standing;
  standing.missing = {"sections.sec_02"};
  standing.calls_left = calls_left;
  return standing;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verdict)

BOOST_AUTO_TEST_CASE(nothing_missing_finishes_however_the_call_ended) {
  for (const auto status :
       {CallStatus::kComplete, CallStatus::kUnavailable, CallStatus::kTruncated, CallStatus::kTimeout}) {
    BOOST_TEST((judge(answer_with(status), Standing{}).next == Next::kFinish));
  }
}

BOOST_AUTO_TEST_CASE(an_unavailable_provider_is_tried_again_while_calls_are_left) {
  BOOST_TEST((judge(answer_with(CallStatus::kUnavailable), standing_with(1)).next == Next::kRetry));
  const Verdict last = judge(answer_with(CallStatus::kUnavailable), standing_with(0));
  BOOST_TEST((last.next == Next::kFail));
  BOOST_TEST(last.failure.code == "llm_unavailable");
  BOOST_TEST(last.failure.retryable);
}

BOOST_AUTO_TEST_CASE(silence_is_tried_again_and_then_ends_as_timeout) {
  BOOST_TEST((judge(answer_with(CallStatus::kTimeout), standing_with(2)).next == Next::kRetry));
  BOOST_TEST(judge(answer_with(CallStatus::kTimeout), standing_with(0)).failure.code == "timeout");
}

BOOST_AUTO_TEST_CASE(quota_and_key_errors_are_final_at_once) {
  for (const auto status : {CallStatus::kQuota, CallStatus::kRejected}) {
    const Verdict verdict = judge(answer_with(status), standing_with(2));
    BOOST_TEST((verdict.next == Next::kFail));
    BOOST_TEST(verdict.failure.code == "llm_rejected");
  }
}

BOOST_AUTO_TEST_CASE(a_refusal_is_final) {
  const Verdict verdict = judge(answer_with(CallStatus::kRefused), standing_with(2));
  BOOST_TEST((verdict.next == Next::kFail));
  BOOST_TEST(verdict.failure.code == "llm_refused");
}

BOOST_AUTO_TEST_CASE(a_truncated_answer_goes_on_only_where_it_brought_something) {
  Answer answer = answer_with(CallStatus::kTruncated);
  BOOST_TEST((judge(answer, standing_with(2)).next == Next::kFail));
  answer.made_progress = true;
  BOOST_TEST((judge(answer, standing_with(2)).next == Next::kRetry));
  BOOST_TEST(judge(answer, standing_with(0)).failure.code == "llm_truncated");
}

BOOST_AUTO_TEST_CASE(a_missing_model_falls_back_once) {
  Standing standing = standing_with(2);
  standing.has_fallback = true;
  BOOST_TEST((judge(answer_with(CallStatus::kModelNotFound), standing).next == Next::kUseFallback));
  standing.has_fallback = false;
  BOOST_TEST(judge(answer_with(CallStatus::kModelNotFound), standing).failure.code == "llm_rejected");
}

BOOST_AUTO_TEST_CASE(invalid_content_gets_one_repair_call_that_is_shown_the_faults) {
  Answer answer = answer_with(CallStatus::kComplete);
  answer.faults = {Fault{"sections.sec_02", "has no steps"}};
  Standing standing = standing_with(2);
  const Verdict first = judge(answer, standing);
  BOOST_TEST((first.next == Next::kRepair));
  BOOST_TEST((first.faults == answer.faults));
  standing.is_repair_used = true;
  const Verdict second = judge(answer, standing);
  BOOST_TEST((second.next == Next::kFail));
  BOOST_TEST(second.failure.code == "constraint");
  BOOST_TEST(second.failure.message == "sections.sec_02: has no steps");
}

BOOST_AUTO_TEST_CASE(a_missing_section_is_named_to_the_repair_call) {
  const Verdict verdict = judge(answer_with(CallStatus::kComplete), standing_with(1));
  BOOST_TEST((verdict.next == Next::kRepair));
  BOOST_TEST((verdict.faults == std::vector<Fault>{{"sections.sec_02", "is missing"}}));
}

BOOST_AUTO_TEST_CASE(the_code_tells_blocked_words_broken_json_and_broken_rules_apart) {
  Answer answer = answer_with(CallStatus::kComplete);
  answer.faults = {Fault{"sections.sec_02", "holds a word of the blocked category 'alcohol'"}};
  answer.has_blocked = true;
  BOOST_TEST(judge(answer, standing_with(0)).failure.code == "blocked_content");
  answer.parse_problem = "JSON is malformed at byte 7";
  BOOST_TEST(judge(answer, standing_with(0)).failure.code == "llm_parse");
}

BOOST_AUTO_TEST_CASE(running_out_of_time_is_a_timeout_of_the_run) {
  const Verdict verdict = judge(answer_with(CallStatus::kCancelled), standing_with(2));
  BOOST_TEST(verdict.failure.code == "timeout");
  BOOST_TEST(verdict.failure.stage == "run");
}

BOOST_AUTO_TEST_CASE(a_passing_error_leaves_the_next_call_to_put_right_what_this_one_was_to) {
  Standing standing = standing_with(1);
  standing.is_repair_used = true;
  standing.has_fallback = true;
  standing.faults = {Fault{"sections.sec_02.seats", "must have exactly the members 1, 2"},
                     Fault{"answer", "is cut"}};
  for (const auto status : {CallStatus::kUnavailable, CallStatus::kTimeout, CallStatus::kUnsupportedParameter,
                            CallStatus::kModelNotFound}) {
    BOOST_TEST((judge(answer_with(status), standing).faults == standing.faults));
  }
}

BOOST_AUTO_TEST_CASE(of_what_was_to_be_put_right_only_what_is_still_due_is_shown_again) {
  Standing standing = standing_with(1);
  standing.missing = {"sections.sec_02", "sections.sec_03"};
  standing.faults = {Fault{"sections.sec_01", "is written meanwhile"},
                     Fault{"sections.sec_02", "is known better by the newer answer"},
                     Fault{"sections.sec_03.teacher", "has no steps"}, Fault{"plan", "is written meanwhile"}};
  Answer answer = answer_with(CallStatus::kUnavailable);
  answer.faults = {Fault{"sections.sec_02.seats", "is new"}};
  BOOST_TEST((judge(answer, standing).faults == std::vector<Fault>{answer.faults[0], standing.faults[2]}));
}

BOOST_AUTO_TEST_CASE(a_message_is_cut_whatever_names_the_model_has_made_up) {
  Answer answer = answer_with(CallStatus::kComplete);
  std::string name = "sections.sec_02.";
  for (int i = 0; i < 5000; ++i) name += "\xD9\x85";
  answer.faults = {Fault{name, "must not be there"}};
  const std::string message = judge(answer, standing_with(0)).failure.message;
  BOOST_TEST(gp::utf8::is_valid(message));
  BOOST_TEST(gp::utf8::length(message) == gp::generation::kLongestMessage);
  BOOST_TEST(message.ends_with("..."));
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_given_up_is_judged_by_its_content) {
  Answer answer = answer_with(CallStatus::kCancelled);
  answer.is_given_up = true;
  answer.parse_problem = "the answer is longer than 1 MiB";
  BOOST_TEST((judge(answer, standing_with(1)).next == Next::kRepair));
  BOOST_TEST(judge(answer, standing_with(0)).failure.code == "llm_parse");
}

BOOST_AUTO_TEST_CASE(a_provider_that_asks_to_wait_is_busy_and_not_down) {
  const auto sign_of_http = [](long status) {
    return sign_of(gp::llm::judge_http_error(
        status, [](std::string_view) { return std::string(); }, "", gp::wall_now()));
  };
  for (const long status : {408, 409, 425, 429}) BOOST_TEST((sign_of_http(status) == Sign::kBusy));
  for (const long status : {500, 502, 503, 504}) BOOST_TEST((sign_of_http(status) == Sign::kDown));
  for (const long status : {400, 401, 404}) BOOST_TEST((sign_of_http(status) == Sign::kUp));
  BOOST_TEST((sign_of(answer_with(CallStatus::kUnavailable).result) == Sign::kDown));
  BOOST_TEST((sign_of(answer_with(CallStatus::kTimeout).result) == Sign::kDown));
  BOOST_TEST((sign_of(answer_with(CallStatus::kCancelled).result) == Sign::kNone));
}

BOOST_AUTO_TEST_SUITE_END()
