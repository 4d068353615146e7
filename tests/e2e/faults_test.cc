// Each fault of the LLM ends in the right event, the right number of calls, and a consistent document.

#include <string>
#include <vector>

#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using support::start_body;
using support::StreamEvent;

namespace {

struct Settings {
  Settings() {
    OnStack::settings = {
        {"LLM_FIRST_BYTE_TIMEOUT_S", "2"}, {"LLM_IDLE_TIMEOUT_S", "2"}, {"LLM_MAX_CALLS", "3"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

struct Outcome {
  std::string run_id;
  std::vector<StreamEvent> events;
  std::vector<Json> calls;
  std::string end;  ///< "run_completed", or the error's code
  Json document;
};

/// Runs a project called `name` while `faults` are armed for it.
Outcome run_with(const std::string& name, const std::vector<Json>& faults) {
  for (Json fault : faults) {
    fault["match"] = name;
    stack().arm(fault);
  }
  const Json body = start_body(name);
  Outcome outcome;
  outcome.run_id = stack().start(body);
  outcome.events = stack().follow(outcome.run_id);
  outcome.calls = stack().calls(name);
  const StreamEvent& last = outcome.events.back();
  outcome.end = last.name == "error" ? last.data.at("code").get<std::string>() : last.name;
  outcome.document = stack().status(name);
  e2e::check_consistent(body, outcome.run_id, outcome.events);
  BOOST_TEST(outcome.document.at("status") == (last.name == "error" ? "error" : "complete"));
  return outcome;
}

void check(const std::string& name, const std::vector<Json>& faults, const std::string& end,
           std::size_t calls) {
  BOOST_TEST_CONTEXT(name) {
    const Outcome outcome = run_with(name, faults);
    BOOST_TEST(outcome.end == end);
    BOOST_TEST(outcome.calls.size() == calls);
    if (end == "run_completed") {
      BOOST_TEST(outcome.document.at("sections").size() == 3u);
    } else {
      const Json& error = outcome.events.back().data;
      BOOST_TEST(!error.at("message").get<std::string>().empty());
      BOOST_TEST(!error.at("stage").get<std::string>().empty());
      BOOST_TEST(error.at("retryable").is_boolean());
    }
  }
}

Json fault(const char* kind, int times = 1, int after_sections = 1) {
  return {{"fault", kind}, {"times", times}, {"after_sections", after_sections}, {"retry_after_s", 0.1}};
}

Json inputs_of(const Json& call) {
  return gp::parse_json(call.at("body").at("messages").at(1).at("content").get<std::string>());
}

std::size_t count(const Outcome& outcome, const std::string& name) {
  const auto names = e2e::names_of(outcome.events);
  return static_cast<std::size_t>(std::ranges::count(names, name));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)

BOOST_AUTO_TEST_CASE(what_passes_is_tried_again) {
  for (const char* kind :
       {"rate_limit", "server_error", "overloaded", "html_502", "garbage_http", "close_early", "cut",
        "stream_error", "malformed_chunk", "silence", "silence_midway"}) {
    check(std::string("once_") + kind, {fault(kind)}, "run_completed", 2);
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_pass_ends_the_run_after_three_calls) {
  for (const char* kind : {"rate_limit", "server_error", "overloaded", "garbage_http", "close_early"}) {
    check(std::string("thrice_") + kind, {fault(kind, -1)}, "llm_unavailable", 3);
  }
  check("thrice_silence", {fault("silence", -1)}, "timeout", 3);
}

BOOST_AUTO_TEST_CASE(what_another_call_cannot_change_is_not_tried_again) {
  check("final_quota", {fault("quota", -1)}, "llm_rejected", 1);
  check("final_bad_key", {fault("bad_key", -1)}, "llm_rejected", 1);
  check("final_model", {fault("model_not_found", -1)}, "llm_rejected", 1);
  check("final_refusal", {fault("refusal", -1)}, "llm_refused", 1);
}

BOOST_AUTO_TEST_CASE(what_the_provider_wrote_about_the_key_is_not_repeated) {
  const Outcome outcome = run_with("final_key_text", {fault("bad_key")});
  BOOST_TEST(outcome.events.back().data.at("message").get<std::string>().find("sk-") == std::string::npos);
  BOOST_TEST(outcome.events.back().data.at("retryable") == false);
}

BOOST_AUTO_TEST_CASE(what_is_odd_but_sound_is_accepted_at_once) {
  for (const char* kind :
       {"keepalive_comments", "no_usage", "split_emoji", "prose_fence", "think", "key_order", "slow_start"}) {
    check(std::string("odd_") + kind, {fault(kind)}, "run_completed", 1);
  }
}

BOOST_AUTO_TEST_CASE(an_emoji_split_over_two_chunks_arrives_whole) {
  const Outcome outcome = run_with("emoji", {fault("split_emoji")});
  BOOST_TEST(gp::dump_json(outcome.document).find("\xF0\x9F\x98\x80") != std::string::npos);
  BOOST_TEST(gp::dump_json(outcome.document).find("\xEF\xBF\xBD") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(unknown_usage_is_said_to_be_unknown) {
  const Outcome outcome = run_with("usage", {fault("no_usage")});
  const Json& end = outcome.events.back().data;
  BOOST_TEST(end.at("tokens").at("prompt").is_null());
  BOOST_TEST(end.at("cost_est").is_null());
  const std::string csv = support::read_file(stack().folder() + "/state/logs/" + outcome.run_id + ".csv");
  BOOST_TEST(csv.find("usage_missing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_cut_stream_keeps_its_sections_and_asks_for_the_rest) {
  const Outcome outcome = run_with("kept", {fault("cut", 1, 2)});
  BOOST_REQUIRE(outcome.calls.size() == 2u);
  BOOST_TEST((inputs_of(outcome.calls[1]).at("wanted") == Json::array({"sec_03"})));
  BOOST_TEST(inputs_of(outcome.calls[1]).at("finished").size() == 2u);
  BOOST_TEST(!outcome.calls[1]
                  .at("body")
                  .at("response_format")
                  .at("json_schema")
                  .at("schema")
                  .at("properties")
                  .contains("plan"));
  BOOST_TEST(count(outcome, "plan_completed") == 1u);
  BOOST_TEST(count(outcome, "section_completed") == 3u);
}

BOOST_AUTO_TEST_CASE(an_answer_cut_for_length_goes_on_while_it_makes_progress) {
  check("length_progress", {fault("length", 1, 1)}, "run_completed", 2);
  check("filter_progress", {fault("content_filter", 1, 1)}, "run_completed", 2);
  // The second call writes nothing that is complete: that is the end.
  const Outcome outcome = run_with("length_end", {fault("length", -1, 0)});
  BOOST_TEST(outcome.end == "llm_truncated");
  BOOST_TEST(outcome.calls.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_refused_parameter_is_dropped_and_not_sent_again) {
  Json refused = fault("unsupported_parameter", -1);
  refused["parameter"] = "reasoning_effort";
  const Outcome outcome = run_with("parameter", {refused});
  BOOST_TEST(outcome.end == "run_completed");
  BOOST_REQUIRE(outcome.calls.size() == 2u);
  BOOST_TEST(outcome.calls[0].at("body").contains("reasoning_effort"));
  BOOST_TEST(!outcome.calls[1].at("body").contains("reasoning_effort"));
}

BOOST_AUTO_TEST_CASE(bad_content_gets_one_repair_that_is_shown_what_was_wrong) {
  for (const char* kind : {"empty", "garbage", "constraint", "blocked", "seats_missing", "wrong_type"}) {
    check(std::string("repair_") + kind, {fault(kind)}, "run_completed", 2);
  }
  const Outcome outcome = run_with("repair_shown", {fault("seats_missing")});
  BOOST_REQUIRE(outcome.calls.size() == 2u);
  const Json repair = inputs_of(outcome.calls[1]);
  BOOST_TEST((repair.at("wanted") == Json::array({"sec_01"})));
  BOOST_TEST(repair.at("faults").at(0).at("field") == "sections.sec_01.seats");
  BOOST_TEST(repair.at("finished").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_repair_that_is_cut_short_is_shown_again_what_was_wrong) {
  const Outcome outcome = run_with("repair_late", {fault("seats_missing"), fault("overloaded")});
  BOOST_TEST(outcome.end == "run_completed");
  BOOST_REQUIRE(outcome.calls.size() == 3u);
  BOOST_TEST(inputs_of(outcome.calls[2]).at("faults").at(0).at("field") == "sections.sec_01.seats");
}

BOOST_AUTO_TEST_CASE(bad_content_twice_ends_the_run_with_its_code) {
  check("bad_empty", {fault("empty", -1)}, "llm_parse", 2);
  check("bad_garbage", {fault("garbage", -1)}, "llm_parse", 2);
  check("bad_constraint", {fault("constraint", -1)}, "constraint", 2);
  check("bad_blocked", {fault("blocked", -1)}, "blocked_content", 2);
  check("bad_seats", {fault("seats_missing", -1)}, "constraint", 2);
  check("bad_type", {fault("wrong_type", -1)}, "constraint", 2);
}

BOOST_AUTO_TEST_CASE(a_run_that_failed_keeps_the_sections_it_has) {
  const Outcome outcome = run_with("partial", {fault("seats_missing", -1)});
  BOOST_TEST(outcome.document.at("sections").size() == 2u);
  BOOST_TEST(!outcome.document.at("sections").contains("sec_01"));
  BOOST_TEST(gp::dump_json(run_with("never_shown", {fault("blocked", -1)}).document).find("whisky") ==
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(personal_data_in_the_answer_is_removed_before_anybody_sees_it) {
  const Outcome outcome = run_with("personal", {fault("personal_data")});
  BOOST_TEST(outcome.end == "run_completed");
  std::string everything = gp::dump_json(outcome.document);
  for (const auto& event : outcome.events) everything += gp::dump_json(event.data);
  everything +=
      support::run_or_throw("cat " + stack().folder() + "/state/logs/" + outcome.run_id + "/*").c_str();
  BOOST_TEST(everything.find("huda.ali@") == std::string::npos);
  BOOST_TEST(everything.find("123 4567") == std::string::npos);
  BOOST_TEST(everything.find("[phone]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_is_started_again_with_the_same_post) {
  const Outcome failed = run_with("again", {fault("cut", 1, 1), fault("server_error", 2)});
  BOOST_TEST(failed.end == "llm_unavailable");
  BOOST_TEST(failed.document.at("sections").size() == 1u);
  const auto reply = stack().post_start(start_body("again"));
  BOOST_TEST(reply.status == 202);
  BOOST_TEST(reply.json().at("run_id") == failed.run_id);

  support::EventStream stream(stack().port(), "/events/stream?run_id=" + failed.run_id,
                              {{"Last-Event-ID", std::to_string(failed.events.size())}});
  std::vector<StreamEvent> events = failed.events;
  for (auto& event : stream.rest()) events.push_back(std::move(event));
  e2e::check_consistent(start_body("again"), failed.run_id, events);
  const Json& restarted = events[failed.events.size()].data;
  BOOST_TEST(restarted.at("attempt") == 2);
  BOOST_TEST((restarted.at("resumed_sections") == Json::array({"sec_01"})));
  BOOST_TEST(events.back().name == "run_completed");
  const auto calls = stack().calls("again");
  BOOST_TEST((inputs_of(calls.back()).at("wanted") == Json::array({"sec_02", "sec_03"})));
}

BOOST_AUTO_TEST_SUITE_END()
