#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/llm/completion.h"
#include "core/llm/data_lines.h"
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
