#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/llm/completion.h"
#include "core/llm/data_lines.h"
#include "core/llm/prices.h"
#include "core/llm/provider_error.h"

using gp::Json;
using gp::llm::CallStatus;
using gp::llm::Completion;
using gp::llm::DataLines;

namespace {

std::vector<std::string> drain(DataLines& lines) {
  std::vector<std::string> all;
  while (auto data = lines.next()) all.push_back(*data);
  return all;
}

std::string chunk(const std::string& content, const std::string& finish = "null") {
  return R"({"model":"m-1","choices":[{"index":0,"delta":{"content":")" + content + R"("},"finish_reason":)" +
         finish + "}]}";
}

using Headers = std::map<std::string, std::string, std::less<>>;

gp::llm::CallResult judge(long status, const std::string& body, const Headers& headers = {}) {
  const auto header = [&](std::string_view name) {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  };
  return gp::llm::judge_http_error(status, header, body, gp::WallTime(std::chrono::seconds(1'700'000'000)));
}

std::string error_body(const std::string& code, const std::string& param = "null") {
  return R"({"error":{"message":"sk-secret of huda@school.ae","type":"invalid_request_error","param":)" +
         param + R"(,"code":")" + code + "\"}}";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(llm_stream)

BOOST_AUTO_TEST_CASE(data_lines_are_found_at_every_split) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string text = "\xEF\xBB\xBF: comment" + end + "data: one" + end + end + "event: x" + end +
                             "data:two" + end + "data: three" + end + end + end + "id: 4" + end + end +
                             "data: [DONE]" + end + end + "x";
    const std::vector<std::string> expected = {"one", "two\nthree", "[DONE]"};
    for (std::size_t split = 0; split <= text.size(); ++split) {
      DataLines lines;
      lines.push(std::string_view(text).substr(0, split));
      auto found = drain(lines);
      lines.push(std::string_view(text).substr(split));
      for (std::string& more : drain(lines)) found.push_back(std::move(more));
      BOOST_REQUIRE_MESSAGE(found == expected, "split at " << split);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_event_whose_data_is_blank_is_passed_over) {
  DataLines lines;
  lines.push("data:\n\ndata: \n\ndata\n\ndata: one\n\n");
  BOOST_TEST((drain(lines) == std::vector<std::string>{"one"}));
}

BOOST_AUTO_TEST_CASE(a_stream_is_known_by_how_it_begins) {
  using gp::llm::begins_like_stream;
  for (const char* stream :
       {"data: {", "data:x", ": comment", "event: x", "\n\nid: 1", "\xEF\xBB\xBFretry: 5"})
    BOOST_TEST((begins_like_stream(stream) == true), stream);
  for (const char* other : {"{\"data:\":1}", " \n{", "<html>", "database", "[", "data is"})
    BOOST_TEST((begins_like_stream(other) == false), other);
  for (const char* too_short : {"", " \r\n", "\xEF\xBB", "dat", "e", "retry"})
    BOOST_TEST(!begins_like_stream(too_short).has_value(), too_short);
}

BOOST_AUTO_TEST_CASE(a_line_without_end_is_bounded) {
  DataLines lines;
  BOOST_CHECK_THROW(
      for (int i = 0; i < 40; ++i) {
        lines.push(std::string(64 * 1024, 'x'));
        drain(lines);
      },
      gp::Error);
}

BOOST_AUTO_TEST_CASE(an_event_of_many_lines_is_bounded_too) {
  const std::string line = "data: " + std::string(64 * 1024, 'x') + "\n";
  DataLines lines;
  const auto push_lines = [&](int count) {
    for (int i = 0; i < count; ++i) {
      lines.push(line);
      drain(lines);
    }
  };
  push_lines(60);  // below 4 MiB
  lines.push("\n");
  BOOST_TEST(drain(lines).size() == 1u);
  BOOST_CHECK_EXCEPTION(push_lines(70), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kTooLarge; });
}

BOOST_AUTO_TEST_CASE(a_sound_stream_is_complete_with_usage_and_model) {
  Completion completion;
  BOOST_TEST(completion.take_chunk(
                 R"({"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})") ==
             "");
  BOOST_TEST(completion.take_chunk(chunk("{\\\"a\\\":")) == "{\"a\":");
  BOOST_TEST(completion.take_chunk(chunk("1}", "\"stop\"")) == "1}");
  completion.take_chunk(
      R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":4}}})");
  completion.take_chunk("[DONE]");
  BOOST_TEST(completion.is_done());
  const auto result = completion.result("CURLE 18: cut after the end");
  BOOST_TEST((result.status == CallStatus::kComplete));
  BOOST_TEST(result.usage.prompt_tokens == 10);
  BOOST_TEST(result.usage.cached_tokens == 4);
  BOOST_TEST(result.usage.completion_tokens == 20);
  BOOST_TEST(result.model == "m-1");
}

BOOST_AUTO_TEST_CASE(what_compatible_servers_do_is_tolerated) {
  Completion completion;
  for (const char* odd :
       {R"({"choices":null})", R"({})", R"({"choices":[],"prompt_filter_results":[]})",
        R"({"choices":[{"delta":{"reasoning_content":"hm"}}],"usage":null})", R"({"choices":[{"index":0}]})",
        R"({"error":null,"choices":[{"delta":{"content":null}}]})"}) {
    BOOST_TEST(completion.take_chunk(odd) == "");
    BOOST_TEST(!completion.has_failed());
  }
  BOOST_TEST((completion.result("").status == CallStatus::kUnavailable));  // no finish_reason: it was cut
}

BOOST_AUTO_TEST_CASE(a_surrogate_pair_split_over_two_chunks_is_joined) {
  Completion completion;
  std::string text = completion.take_chunk(chunk("a\\ud83d"));
  text += completion.take_chunk(chunk("\\ude00b"));
  BOOST_TEST(text ==
             "a\xF0\x9F\x98\x80"
             "b");
  text = completion.take_chunk(chunk("\\ud83d"));
  text += completion.take_chunk(chunk("x"));
  BOOST_TEST(text == "\xEF\xBF\xBDx");
  BOOST_TEST(completion.take_chunk(chunk("\\ude00 \\ud83d!")) == "\xEF\xBF\xBD \xEF\xBF\xBD!");
}

BOOST_AUTO_TEST_CASE(token_counts_that_no_call_can_have_are_no_usage) {
  const auto usage_after = [](const std::string& usage) {
    Completion completion;
    completion.take_chunk(R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}})");
    completion.take_chunk(R"({"choices":[],"usage":)" + usage + "}");
    return completion.result("").usage;
  };
  for (const char* absurd :
       {R"({"prompt_tokens":-1,"completion_tokens":20})",
        R"({"prompt_tokens":10,"completion_tokens":999999999999})",
        R"({"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":-4}})"}) {
    BOOST_TEST(usage_after(absurd).prompt_tokens == -1, absurd);
    BOOST_TEST(usage_after(absurd).completion_tokens == -1, absurd);
    BOOST_TEST(usage_after(absurd).cached_tokens == 0, absurd);
  }
  BOOST_TEST(usage_after("null").prompt_tokens == 5);
  BOOST_TEST(usage_after(R"({"completion_tokens":7})").completion_tokens == 7);
}

BOOST_AUTO_TEST_CASE(cached_tokens_that_are_counted_apart_become_part_of_the_prompt) {
  Completion completion;
  completion.take_chunk(
      R"({"usage":{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":90000}}})");
  const auto usage = completion.result("").usage;
  BOOST_TEST(usage.prompt_tokens == 90100);
  BOOST_TEST(usage.cached_tokens == 90000);
  BOOST_TEST(gp::llm::PriceTable::load("").cost_usd("gpt-5-mini", usage).value() ==
                 (100 * 0.25 + 90000 * 0.025 + 10 * 2.0) / 1e6,
             boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(of_content_in_parts_the_text_is_taken) {
  const std::string parts =
      R"([{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},7,{"type":"text","text":"b"}])";
  Completion whole;
  BOOST_TEST(whole.take_whole(R"({"choices":[{"message":{"content":)" + parts +
                              R"(},"finish_reason":"stop"}]})") == "ab");
  BOOST_TEST((whole.result("").status == CallStatus::kComplete));
  Completion streamed;
  BOOST_TEST(streamed.take_chunk(R"({"choices":[{"delta":{"content":)" + parts + "}}]}") == "ab");
}

BOOST_AUTO_TEST_CASE(the_last_event_counts_where_it_is_whole) {
  const std::string end =
      R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"completion_tokens":9}})";
  Completion whole;
  whole.take_last(end);
  BOOST_TEST((whole.result("").status == CallStatus::kComplete));
  BOOST_TEST(whole.result("").usage.completion_tokens == 9);
  for (std::size_t size = 0; size < end.size(); ++size) {
    Completion cut;
    cut.take_last(std::string_view(end).substr(0, size));
    BOOST_TEST(!cut.has_failed());
  }
  Completion done;
  done.take_last("[DONE]");
  BOOST_TEST(done.is_done());
}

BOOST_AUTO_TEST_CASE(the_end_of_an_answer_has_its_reason) {
  const auto status_after = [](const std::string& data) {
    Completion completion;
    completion.take_chunk(data);
    return completion.result("").status;
  };
  BOOST_TEST((status_after(chunk("x", "\"length\"")) == CallStatus::kTruncated));
  BOOST_TEST((status_after(chunk("x", "\"content_filter\"")) == CallStatus::kTruncated));
  BOOST_TEST((status_after(chunk("x", "\"tool_calls\"")) == CallStatus::kUnavailable));
  BOOST_TEST((status_after(R"({"choices":[{"delta":{"refusal":"I cannot"},"finish_reason":"stop"}]})") ==
              CallStatus::kRefused));
  BOOST_TEST((status_after(R"({"error":{"message":"m","code":500}})") == CallStatus::kUnavailable));
  BOOST_TEST(
      (status_after(R"({"error":{"message":"m","code":"insufficient_quota"}})") == CallStatus::kQuota));
  BOOST_TEST((status_after("{\"choices\":") == CallStatus::kUnavailable));
}

BOOST_AUTO_TEST_CASE(an_error_inside_an_answer_is_judged_by_the_status_it_stands_for) {
  const auto judge_error = [](const std::string& members) {
    return gp::llm::judge_stream_error(gp::parse_json("{\"message\":\"m\"," + members + "}"));
  };
  const auto status_of = [&](const std::string& members) { return judge_error(members).status; };
  BOOST_TEST((status_of(R"("code":402)") == CallStatus::kQuota));
  BOOST_TEST((status_of(R"("code":"401")") == CallStatus::kRejected));
  BOOST_TEST((status_of(R"("code":404,"param":"model")") == CallStatus::kModelNotFound));
  BOOST_TEST(judge_error(R"("code":"unsupported_value","param":"temperature","type":"invalid_request_error")")
                 .parameter == "temperature");
  for (const char* final_code : {"invalid_api_key", "context_length_exceeded"})
    BOOST_TEST((status_of(R"("code":")" + std::string(final_code) + "\"") == CallStatus::kRejected),
               final_code);
  BOOST_TEST((status_of(R"("code":null,"type":"invalid_request_error")") == CallStatus::kRejected));
  BOOST_TEST((status_of(R"("code":"model_not_found")") == CallStatus::kModelNotFound));
  BOOST_TEST((status_of(R"("code":"content_filter")") == CallStatus::kRefused));
  for (const char* passing :
       {R"("code":429)", R"("code":"502")", R"("code":"server_error")", R"("code":1)", R"("type":"x")"})
    BOOST_TEST((status_of(passing) == CallStatus::kUnavailable), passing);
  BOOST_TEST(judge_error(R"("code":429)").http_status == 429);
  BOOST_TEST(judge_error(R"("code":"server_error")").http_status == 0);
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_not_streamed_is_taken_whole) {
  Completion completion;
  BOOST_TEST(
      completion.take_whole(
          R"({"model":"m","choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})") ==
      "{}");
  BOOST_TEST((completion.result("").status == CallStatus::kComplete));
  Completion html;
  html.take_whole("<html>");
  BOOST_TEST((html.result("").status == CallStatus::kUnavailable));
}

BOOST_AUTO_TEST_CASE(http_errors_are_sorted_by_what_can_be_done) {
  BOOST_TEST((judge(429, error_body("rate_limit_exceeded")).status == CallStatus::kUnavailable));
  BOOST_TEST((judge(429, error_body("insufficient_quota")).status == CallStatus::kQuota));
  BOOST_TEST((judge(404, error_body("model_not_found")).status == CallStatus::kModelNotFound));
  BOOST_TEST(
      (judge(404, R"({"error":{"message":"model 'x' not found"}})").status == CallStatus::kModelNotFound));
  BOOST_TEST((judge(404, "nginx").status == CallStatus::kRejected));
  BOOST_TEST((judge(401, error_body("invalid_api_key")).status == CallStatus::kRejected));
  BOOST_TEST((judge(400, error_body("context_length_exceeded")).status == CallStatus::kRejected));
  BOOST_TEST((judge(502, "<html>Bad gateway</html>").status == CallStatus::kUnavailable));
  BOOST_TEST((judge(500, error_body("server_error"), {{"x-should-retry", "false"}}).status ==
              CallStatus::kRejected));
  BOOST_TEST((judge(400, R"({"error":{"message":"m","code":400}})").status == CallStatus::kRejected));
  BOOST_TEST((judge(307, "").status == CallStatus::kRejected));
}

BOOST_AUTO_TEST_CASE(a_refused_parameter_is_named_and_only_an_optional_one) {
  const auto named = judge(400, error_body("unsupported_value", "\"temperature\""));
  BOOST_TEST((named.status == CallStatus::kUnsupportedParameter));
  BOOST_TEST(named.parameter == "temperature");
  const auto nested = judge(400, error_body("unsupported_parameter", "\"response_format.json_schema\""));
  BOOST_TEST(nested.parameter == "response_format");
  const auto quoted =
      judge(400, R"({"error":{"message":"Unsupported parameter: 'max_completion_tokens'","code":400}})");
  BOOST_TEST(quoted.parameter == "max_completion_tokens");
  const auto unquoted = judge(
      400,
      R"({"error":{"message":"Unrecognized request argument supplied: reasoning_effort","type":"invalid_request_error","param":null,"code":null}})");
  BOOST_TEST((unquoted.status == CallStatus::kUnsupportedParameter));
  BOOST_TEST(unquoted.parameter == "reasoning_effort");
  const auto with_advice = judge(
      400,
      R"({"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}})");
  BOOST_TEST(with_advice.parameter == "max_tokens");
  const auto part_of_a_word =
      judge(400, R"({"error":{"message":"Unrecognized request argument supplied: my_temperature_x"}})");
  BOOST_TEST(part_of_a_word.parameter.empty());
  const auto other_fault = judge(400, R"({"error":{"message":"temperature must be below 2"}})");
  BOOST_TEST(other_fault.parameter.empty());
  const auto needed = judge(400, error_body("unsupported_value", "\"messages\""));
  BOOST_TEST((needed.status == CallStatus::kRejected));
  BOOST_TEST(needed.parameter.empty());
}

BOOST_AUTO_TEST_CASE(a_refused_parameter_is_found_in_what_other_servers_say) {
  const auto refused = [](long status, const std::string& body) { return judge(status, body).parameter; };
  BOOST_TEST(
      refused(
          400,
          R"({"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: ['reasoning_effort'], for model=x. To drop these, set litellm.drop_params=True","type":"None","param":"None","code":"400"}})") ==
      "reasoning_effort");
  const std::string faults =
      R"({"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted","input":"temperature"}]})";
  BOOST_TEST(refused(422, faults) == "max_completion_tokens");
  BOOST_TEST(refused(422, R"({"object":"error","message":)" + faults +
                              R"(,"type":"invalid_request_error","param":null,"code":null})") ==
             "max_completion_tokens");
  BOOST_TEST(refused(422, R"({"detail":"Unsupported parameter: stream_options"})") == "stream_options");
  BOOST_TEST(
      refused(
          400,
          R"({"error":{"message":"This model does not support response format `json_schema`","type":"invalid_request_error"}})") ==
      "response_format");
  BOOST_TEST(
      refused(
          400,
          R"({"error":{"message":"This response_format type is unavailable now","param":null,"code":"invalid_request_error"}})") ==
      "response_format");
  BOOST_TEST(
      refused(400,
              R"({"error":{"message":"Unsupported value with temperature","param":"messages[0].role"}})") ==
      "");
  BOOST_TEST(
      refused(
          422,
          R"({"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{"temperature":"unknown"}}]})") ==
      "");
}

BOOST_AUTO_TEST_CASE(a_missing_model_is_told_from_a_complaint_that_mentions_the_model) {
  const auto is_missing = [](long status, const std::string& error) {
    return judge(status, "{\"error\":" + error + "}").status == CallStatus::kModelNotFound;
  };
  const auto says = [](const std::string& message) {
    return R"({"message":")" + message + "\",\"code\":400}";
  };
  BOOST_TEST(is_missing(
      404,
      R"({"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."})"));
  BOOST_TEST(
      is_missing(400, R"({"message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"})"));
  BOOST_TEST(is_missing(400, R"({"message":"m","code":"model_decommissioned"})"));
  BOOST_TEST(
      is_missing(400, R"({"message":"m","type":"invalid_request_error","param":"model","code":"400"})"));
  for (const char* message :
       {"x is not a valid model ID", "/chat/completions: Invalid model name passed in model=x.",
        "Model Not Exist", "Unknown model 'x'", "Invalid model",
        "The model `x` does not exist or you do not have access to it", "model x is not found"})
    BOOST_TEST(is_missing(400, says(message)), message);
  for (const char* message :
       {"This model's maximum context length is 8192 tokens", "Invalid model parameter: top_k",
        "the model x failed: image not found",
        "does not support parameters: ['top_k'], for model=x. Not found", "Unknown field, model x"})
    BOOST_TEST(!is_missing(400, says(message)), message);
  BOOST_TEST(!is_missing(401, R"({"message":"m","param":"model"})"));
  BOOST_TEST(!is_missing(429, says("The model x does not exist")));
}

BOOST_AUTO_TEST_CASE(a_prompt_that_the_providers_filter_stops_is_refused) {
  BOOST_TEST((judge(400, error_body("content_filter", "\"prompt\"")).status == CallStatus::kRefused));
}

BOOST_AUTO_TEST_CASE(a_refused_value_is_named_with_its_setting) {
  BOOST_TEST(
      judge(
          400,
          R"({"error":{"message":"max_tokens is too large","type":"invalid_request_error","param":"max_completion_tokens","code":null}})")
          .detail ==
      "the LLM provider answered HTTP 400 (invalid_request_error) about max_completion_tokens "
      "(LLM_MAX_TOKENS)");
  BOOST_TEST(judge(400, error_body("invalid_value", "\"messages[1].content\"")).detail ==
             "the LLM provider answered HTTP 400 (invalid_value) about messages");
  BOOST_TEST(judge(400, error_body("invalid_value", "\"huda@school.ae\"")).detail ==
             "the LLM provider answered HTTP 400 (invalid_value)");
}

BOOST_AUTO_TEST_CASE(the_provider_says_how_long_to_wait) {
  using std::chrono::milliseconds;
  BOOST_TEST((judge(429, "", {{"retry-after", "2"}}).retry_after == milliseconds(2000)));
  BOOST_TEST(
      (judge(429, "", {{"retry-after", "2"}, {"retry-after-ms", "150"}}).retry_after == milliseconds(150)));
  BOOST_TEST(
      (judge(503, "", {{"retry-after", "Tue, 14 Nov 2023 22:13:25 GMT"}}).retry_after == milliseconds(5000)));
  BOOST_TEST(
      (judge(503, "", {{"retry-after", "Tue, 14 Nov 2000 22:13:25 GMT"}}).retry_after == milliseconds(0)));
  BOOST_TEST(!judge(503, "", {{"retry-after", "soon"}}).retry_after.has_value());
  BOOST_TEST(!judge(503, "").retry_after.has_value());
}

BOOST_AUTO_TEST_CASE(nothing_the_provider_wrote_is_repeated) {
  const auto result = judge(401, error_body("invalid_api_key"));
  BOOST_TEST(result.detail.find("sk-secret") == std::string::npos);
  BOOST_TEST(result.detail.find("huda") == std::string::npos);
  BOOST_TEST(result.detail.find("invalid_api_key") != std::string::npos);
  BOOST_TEST(judge(401, error_body("sk key of huda")).detail.find("huda") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
