#include "core/llm/model_check.h"

#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/curl/transfer.h"

namespace gp::llm {
namespace {

using std::chrono::milliseconds;
using Answer = ModelFacts::Answer;

constexpr std::size_t kMaxBodyBytes = 64 * 1024;

Json parse_or_null(std::string_view body) {
  try {
    return parse_json(body);
  } catch (const std::exception&) {
    return nullptr;
  }
}

/// The provider's own code where it gives one as text: "model_not_found".
std::string code_of(const Json& body) {
  if (!body.is_object() || !body.contains("error")) return {};
  const Json& error = body.at("error");
  if (!error.is_object() || !error.contains("code") || !error.at("code").is_string()) return {};
  return error.at("code").get<std::string>();
}

std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t length) {
  int number = 0;
  const char* begin = text.data() + at;
  const auto [end, fault] = std::from_chars(begin, begin + length, number);
  if (fault != std::errc{} || end != begin + length) return std::nullopt;
  return number;
}

/// "2026-12-11", with or without a time behind it.
std::optional<std::chrono::sys_seconds> parse_day(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number_at(text, 0, 4);
  const auto month = number_at(text, 5, 2);
  const auto day = number_at(text, 8, 2);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

/// A day or a number of seconds since 1970.
std::optional<std::chrono::sys_seconds> shutdown_of(const Json& body) {
  if (!body.is_object() || !body.contains("shutdown_date")) return std::nullopt;
  const Json& date = body.at("shutdown_date");
  if (date.is_string()) return parse_day(date.get<std::string>());
  if (date.is_number_integer())
    return std::chrono::sys_seconds(std::chrono::seconds(date.get<std::int64_t>()));
  return std::nullopt;
}

curl::Get get_of(const Config& config, const std::string& model) {
  std::string base = config.openai_base_url;
  while (base.ends_with('/')) base.pop_back();
  std::vector<std::string> headers = {"Accept: application/json"};
  if (!config.openai_api_key.empty())
    headers.push_back("Authorization: Bearer " + config.openai_api_key.reveal());
  return {base + "/models/" + model, std::move(headers), config.llm_connect_timeout_s};
}

}  // namespace

ModelFacts judge_model_answer(long status, std::string_view body) {
  const Json json = parse_or_null(body);
  const std::string code = code_of(json);
  ModelFacts facts;
  facts.detail = code.empty() ? fmt::format("status {}", status) : fmt::format("status {}, {}", status, code);
  facts.answer = Answer::kCannotTell;
  if (status == 200 && json.is_object() && json.contains("id")) {
    facts.answer = Answer::kExists;
    facts.shutdown = shutdown_of(json);
  } else if (status == 401 || status == 403) {
    facts.answer = Answer::kKeyRefused;
  } else if (status == 404 && code == "model_not_found") {
    facts.answer = Answer::kNoSuchModel;
  } else if (status >= 500) {
    facts.answer = Answer::kAway;
  }
  return facts;
}

ModelFacts ask_for_model(const Config& config, const std::string& model, milliseconds patience) {
  curl::Transfer transfer(get_of(config, model));
  const SteadyTime deadline = steady_now() + patience;
  std::string body;
  auto state = curl::Transfer::State::kMore;
  while (state == curl::Transfer::State::kMore && steady_now() < deadline && body.size() < kMaxBodyBytes)
    state = transfer.pull(milliseconds(200), body);
  ModelFacts facts;
  if (transfer.status() == 0) {
    facts.detail = transfer.failure().empty() ? "no answer in time" : transfer.failure();
    return facts;
  }
  facts = judge_model_answer(transfer.status(), body);
  facts.server_time = curl::parse_http_date(transfer.header("date"));
  return facts;
}

}  // namespace gp::llm
