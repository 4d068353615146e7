#include "core/llm/provider_error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

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

/// All text in `value`, whatever its form, but for what a server quotes of the body it complains of.
std::string text_in(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  if (!value.is_structured()) return text;
  for (const auto& [name, member] : value.items()) {
    if (name != "input") text += text_in(member) + ' ';
  }
  return text;
}

Complaint complaint_of(const Json& error) {
  if (error.is_string()) return {.type = {}, .code = {}, .param = {}, .message = error.get<std::string>()};
  std::string message;
  for (const char* name : {"message", "detail"}) {  // FastAPI: "detail", a list of faults
    if (error.is_object() && error.contains(name)) message += text_in(error.at(name)) + ' ';
  }
  return {member_text(error, "type"), member_text(error, "code"), member_text(error, "param"),
          std::move(message)};
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

template <std::size_t kCount>
bool has_code(const std::array<std::string_view, kCount>& codes, const Complaint& complaint) {
  return std::ranges::any_of(
      codes, [&](std::string_view code) { return complaint.code == code || complaint.type == code; });
}

constexpr std::array<std::string_view, 6> kQuotaCodes = {
    "insufficient_quota",           "credit_balance_exhausted",          "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached"};
/// Of OpenAI, Groq, Mistral and Azure.
constexpr std::array<std::string_view, 4> kModelCodes = {"model_not_found", "model_decommissioned",
                                                         "invalid_model", "DeploymentNotFound"};
/// The request is at fault.
constexpr std::array<std::string_view, 4> kRequestCodes = {"invalid_request_error", "invalid_api_key",
                                                           "authentication_error", "context_length_exceeded"};

/// A 400 may mention the model whatever it is about, so that its words must say that there is none of that
/// name: "x is not a valid model ID", "Invalid model name passed in", "The model x does not exist".
bool is_model_missing(long status, const Complaint& complaint) {
  if (has_code(kModelCodes, complaint)) return true;
  static const RE2 mentions_model("(?i)\\bmodel\\b");
  static const RE2 says_it_is_missing(
      R"((?i)\b(invalid|unknown|not a valid) model(\s+(name|id)\b|\s*[:=,.'"`]|\s*$))"
      R"(|\bmodel[\s:=]+(\S*[^\s.,;:]\s+)?(is |was )?((does )?not exist|not found)\b)");
  if (status == 404 && RE2::PartialMatch(complaint.message, mentions_model)) return true;
  return (status == 400 || status == 404) &&
         (complaint.param == "model" || RE2::PartialMatch(complaint.message, says_it_is_missing));
}

/// A member of our calls that a complaint may be about.
struct Parameter {
  std::string_view name;
  std::string_view settings;  ///< where it comes from; empty where from none
  bool is_optional = true;    ///< the call may be made without it
};

constexpr std::array kParameters = {Parameter{"temperature", "LLM_TEMPERATURE"},
                                    Parameter{"reasoning_effort", "LLM_REASONING_EFFORT"},
                                    Parameter{"stream_options", ""},
                                    Parameter{"response_format", "LLM_RESPONSE_FORMAT"},
                                    Parameter{"max_completion_tokens", "LLM_MAX_TOKENS"},
                                    Parameter{"max_tokens", "LLM_MAX_TOKENS"},
                                    Parameter{"model", "MODEL_PRIMARY or MODEL_FALLBACK", false},
                                    Parameter{"messages", "", false},
                                    Parameter{"stream", "", false}};

/// The one that `param` names: "messages[1].content", "response_format.json_schema". Null where it is none of
/// ours, such as "None".
const Parameter* find_parameter(std::string_view param) {
  const auto found =
      std::ranges::find(kParameters, param.substr(0, param.find_first_of(".[")), &Parameter::name);
  return found == kParameters.end() ? nullptr : &*found;
}

/// The optional parameter that `message` mentions first, as a whole word and so with or without quotes:
/// "Unrecognized request argument supplied: reasoning_effort", "does not support response format". Empty
/// where it mentions none. What comes later is advice ("Use 'max_completion_tokens' instead").
std::string first_mentioned(std::string_view message) {
  std::string first;
  std::size_t first_at = message.size();
  for (const Parameter& parameter : kParameters) {
    if (!parameter.is_optional) continue;
    std::string words(parameter.name);
    RE2::GlobalReplace(&words, "_", "[_ ]");
    const RE2 mentions(fmt::format("\\b{}\\b", words));
    re2::StringPiece found;
    if (!mentions.Match({message.data(), message.size()}, 0, message.size(), RE2::UNANCHORED, &found, 1))
      continue;
    const auto at = static_cast<std::size_t>(found.data() - message.data());
    if (at >= first_at) continue;
    first = parameter.name;
    first_at = at;
  }
  return first;
}

/// The optional parameter that a 400 complains of, or empty.
std::string refused_parameter(const Complaint& complaint) {
  static const RE2 is_refusal(
      "(?i)unsupported|not supported|does not support|unknown|unrecognized|extra inputs|not permitted|"
      "unavailable");
  const bool is_about_support = complaint.code.starts_with("unsupported") ||
                                complaint.code.starts_with("unknown") ||
                                RE2::PartialMatch(complaint.message, is_refusal);
  if (!is_about_support) return {};
  const Parameter* named = find_parameter(complaint.param);
  if (named == nullptr) return first_mentioned(complaint.message);
  return named->is_optional ? std::string(named->name) : std::string();
}

/// `status` 0: unknown, which may pass.
CallStatus status_for(long status, const std::string& should_retry, const Complaint& complaint,
                      const std::string& parameter) {
  if (complaint.code == "content_filter") return CallStatus::kRefused;
  if (is_model_missing(status, complaint)) return CallStatus::kModelNotFound;
  if (status == 402 || has_code(kQuotaCodes, complaint)) return CallStatus::kQuota;
  if (!parameter.empty()) return CallStatus::kUnsupportedParameter;
  if (should_retry == "true") return CallStatus::kUnavailable;
  if (should_retry == "false") return CallStatus::kRejected;
  const bool is_passing =
      status == 0 || status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
  return is_passing ? CallStatus::kUnavailable : CallStatus::kRejected;
}

/// What of a complaint may be shown: " (invalid_request_error) about max_tokens (LLM_MAX_TOKENS)".
std::string particulars(const Complaint& complaint, const std::string& parameter) {
  std::string text = in_brackets(complaint.code);
  if (text.empty()) text = in_brackets(complaint.type);
  if (const Parameter* about = find_parameter(parameter.empty() ? complaint.param : parameter)) {
    text += fmt::format(" about {}", about->name);
    if (!about->settings.empty()) text += fmt::format(" ({})", about->settings);
  }
  return text;
}

/// `what_happened`: the beginning of a sentence.
CallResult judge(long status, const std::string& should_retry, const Complaint& complaint,
                 const std::string& what_happened) {
  const std::string parameter = status == 400 || status == 422 ? refused_parameter(complaint) : std::string();
  CallResult result;
  result.http_status = status;
  result.status = status_for(status, should_retry, complaint, parameter);
  if (result.status == CallStatus::kUnsupportedParameter) result.parameter = parameter;
  result.detail = what_happened + particulars(complaint, result.parameter);
  return result;
}

/// The HTTP status that an error inside an answer stands for: its code, where that is one; 400 where it says
/// that the request is at fault; 0 where nobody knows.
long status_in(const Complaint& complaint) {
  long status = 0;
  const char* end = complaint.code.data() + complaint.code.size();
  const auto [parsed_to, fault] = std::from_chars(complaint.code.data(), end, status);
  if (fault == std::errc{} && parsed_to == end && status >= 400 && status <= 599) return status;
  return has_code(kRequestCodes, complaint) ? 400 : 0;
}

}  // namespace

CallResult judge_http_error(long status, const HeaderLookup& header, std::string_view body, WallTime now) {
  CallResult result = judge(status, header("x-should-retry"), complaint_in(body),
                            fmt::format("the LLM provider answered HTTP {}", status));
  result.retry_after = retry_after(header, now);
  return result;
}

CallResult judge_stream_error(const Json& error) {
  const Complaint complaint = complaint_of(error);
  return judge(status_in(complaint), "", complaint, "the LLM provider broke its answer off with an error");
}

std::string in_brackets(const std::string& text) {
  static const RE2 is_code("[A-Za-z0-9_.-]{1,64}");
  return RE2::FullMatch(text, is_code) ? fmt::format(" ({})", text) : std::string();
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
