#include "core/llm/provider_error.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <re2/re2.h>

#include "core/base/error.h"
#include "core/curl/transfer.h"

namespace gp::llm {
namespace {

using std::chrono::milliseconds;

/// What a provider says about a failed call, in whichever of its forms.
struct Complaint {
  std::string type;
  std::string code;
  std::string param;
  std::string message;  ///< never shown: it may quote the key or the teacher's words
};

std::string member_text(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) return {};
  const Json& value = object.at(name);
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? dump_json(value) : std::string();
}

Complaint complaint_of(const Json& error) {
  if (error.is_string()) return {.type = {}, .code = {}, .param = {}, .message = error.get<std::string>()};
  return {member_text(error, "type"), member_text(error, "code"), member_text(error, "param"),
          member_text(error, "message")};
}

Complaint complaint_in(std::string_view body) {
  try {
    const Json json = parse_json(body);
    if (json.is_object() && json.contains("error")) return complaint_of(json.at("error"));
    if (json.is_object()) return complaint_of(json);
  } catch (const Error&) {
    // HTML or text of something in between: the status says what there is to know
  }
  return {};
}

bool is_quota(const Complaint& complaint) {
  constexpr std::array<std::string_view, 6> kCodes = {"insufficient_quota",
                                                      "credit_balance_exhausted",
                                                      "organization_spend_limit_exceeded",
                                                      "project_spend_limit_exceeded",
                                                      "organization_usage_limit_exceeded",
                                                      "billing_hard_limit_reached"};
  return std::ranges::any_of(
      kCodes, [&](std::string_view code) { return complaint.code == code || complaint.type == code; });
}

bool is_model_missing(long status, const Complaint& complaint) {
  if (complaint.code == "model_not_found") return true;
  static const RE2 mentions_model("(?i)\\bmodel\\b");
  return status == 404 && RE2::PartialMatch(complaint.message, mentions_model);
}

/// The name that `message` mentions first, as a whole word and so with or without quotes: "Unrecognized
/// request argument supplied: reasoning_effort". Empty where it mentions none. What comes later is advice
/// ("Use 'max_completion_tokens' instead").
template <std::size_t kCount>
std::string first_mentioned(const std::array<std::string_view, kCount>& names, std::string_view message) {
  std::string first;
  std::size_t first_at = message.size();
  for (const std::string_view name : names) {
    const RE2 word(fmt::format("\\b{}\\b", name));
    re2::StringPiece found;
    if (!word.Match({message.data(), message.size()}, 0, message.size(), RE2::UNANCHORED, &found, 1))
      continue;
    const auto at = static_cast<std::size_t>(found.data() - message.data());
    if (at >= first_at) continue;
    first = name;
    first_at = at;
  }
  return first;
}

/// The optional parameter that a 400 complains of, or empty.
std::string refused_parameter(const Complaint& complaint) {
  constexpr std::array<std::string_view, 6> kOptional = {"temperature",           "reasoning_effort",
                                                         "stream_options",        "response_format",
                                                         "max_completion_tokens", "max_tokens"};
  static const RE2 is_refusal(
      "(?i)unsupported|not supported|does not support|unknown|unrecognized|extra inputs|not permitted");
  const bool is_about_support = complaint.code.starts_with("unsupported") ||
                                complaint.code.starts_with("unknown") ||
                                RE2::PartialMatch(complaint.message, is_refusal);
  if (!is_about_support) return {};
  const std::string named = complaint.param.substr(0, complaint.param.find('.'));
  for (const std::string_view name : kOptional) {
    if (named == name) return std::string(name);
  }
  return named.empty() ? first_mentioned(kOptional, complaint.message) : std::string();
}

/// Only what cannot quote anything: letters, digits and a few signs.
std::string safe_code(const Complaint& complaint) {
  static const RE2 is_code("[A-Za-z0-9_.-]{1,64}");
  for (const std::string& text : {complaint.code, complaint.type}) {
    if (RE2::FullMatch(text, is_code)) return text;
  }
  return {};
}

CallStatus status_for(long status, const std::string& should_retry, const Complaint& complaint,
                      const std::string& parameter) {
  if (is_model_missing(status, complaint)) return CallStatus::kModelNotFound;
  if (status == 402 || is_quota(complaint)) return CallStatus::kQuota;
  if (!parameter.empty()) return CallStatus::kUnsupportedParameter;
  if (should_retry == "true") return CallStatus::kUnavailable;
  if (should_retry == "false") return CallStatus::kRejected;
  const bool is_passing = status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
  return is_passing ? CallStatus::kUnavailable : CallStatus::kRejected;
}

}  // namespace

CallResult judge_http_error(long status, const HeaderLookup& header, std::string_view body, WallTime now) {
  const Complaint complaint = complaint_in(body);
  CallResult result;
  result.http_status = status;
  result.parameter = status == 400 || status == 422 ? refused_parameter(complaint) : std::string();
  result.status = status_for(status, header("x-should-retry"), complaint, result.parameter);
  if (result.status != CallStatus::kUnsupportedParameter) result.parameter.clear();
  result.retry_after = retry_after(header, now);
  const std::string code = safe_code(complaint);
  result.detail =
      fmt::format("the LLM provider answered HTTP {}{}", status, code.empty() ? "" : " (" + code + ")");
  if (!result.parameter.empty()) result.detail += fmt::format(" to the parameter {}", result.parameter);
  return result;
}

CallResult judge_stream_error(const Json& error) {
  const Complaint complaint = complaint_of(error);
  CallResult result;
  result.status = is_quota(complaint) ? CallStatus::kQuota : CallStatus::kUnavailable;
  const std::string code = safe_code(complaint);
  result.detail = fmt::format("the LLM provider broke its stream off with an error{}",
                              code.empty() ? "" : " (" + code + ")");
  return result;
}

std::optional<milliseconds> retry_after(const HeaderLookup& header, WallTime now) {
  const auto number = [](const std::string& text) -> std::optional<double> {
    double value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value < 1e9))
      return std::nullopt;
    return value;
  };
  if (const auto ms = number(header("retry-after-ms"))) return milliseconds(static_cast<std::int64_t>(*ms));
  const std::string text = header("retry-after");
  if (text.empty()) return std::nullopt;
  if (const auto seconds = number(text)) return milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  const auto date = curl::parse_http_date(text);
  if (!date) return std::nullopt;
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(*date - now));
}

}  // namespace gp::llm
