#include "core/llm/completion.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/llm/provider_error.h"

namespace gp::llm {
namespace {

constexpr std::size_t kEscapeSize = 6;  // \uXXXX

enum class Half { kNone, kHigh, kLow };

/// Which half of a surrogate pair is written as an escape at `at`.
Half half_at(std::string_view json, std::size_t at) {
  if (at + kEscapeSize > json.size() || json[at] != '\\' || json[at + 1] != 'u') return Half::kNone;
  if (json[at + 2] != 'd' && json[at + 2] != 'D') return Half::kNone;
  switch (json[at + 3]) {
    case '8':
    case '9':
    case 'a':
    case 'A':
    case 'b':
    case 'B':
      return Half::kHigh;
    case 'c':
    case 'C':
    case 'd':
    case 'D':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
      return Half::kLow;
    default:
      return Half::kNone;
  }
}

/// `json` with every lone surrogate mended: a high one at the end of a string is taken out and kept in
/// `waiting`; a low one joins what was waiting; any other becomes U+FFFD.
std::string mend_surrogates(std::string_view json, std::string& waiting) {
  std::string mended;
  for (std::size_t at = 0; at < json.size();) {
    const Half half = half_at(json, at);
    if (half == Half::kNone) {
      const std::size_t size = json[at] == '\\' && at + 1 < json.size() ? 2 : 1;
      mended += json.substr(at, size);
      at += size;
      continue;
    }
    const std::string_view escape = json.substr(at, kEscapeSize);
    at += kEscapeSize;
    if (half == Half::kLow) {
      mended += waiting.empty() ? "\\ufffd" : std::exchange(waiting, {}) + std::string(escape);
    } else if (half_at(json, at) == Half::kLow) {
      mended += escape;
      mended += json.substr(at, kEscapeSize);
      at += kEscapeSize;
    } else if (at < json.size() && json[at] == '"') {
      waiting = escape;
    } else {
      mended += "\\ufffd";
    }
  }
  return mended;
}

std::optional<Json> parsed(std::string_view text) {
  try {
    return parse_json(text, {.max_bytes = 4 << 20});
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string text_member(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name) || !object.at(name).is_string()) return {};
  return object.at(name).get<std::string>();
}

const Json& member_or_null(const Json& object, const char* name) {
  static const Json null;
  return object.is_object() && object.contains(name) ? object.at(name) : null;
}

/// False for a number of tokens that no call can have.
bool is_possible(const Json& count) {
  constexpr double kMaxTokens = 1e8;  // far more than any model reads or writes in one call
  return !count.is_number() || (count.get<double>() >= 0 && count.get<double>() <= kMaxTokens);
}

std::int64_t count_or(const Json& count, std::int64_t otherwise) {
  return count.is_number() ? static_cast<std::int64_t>(count.get<double>()) : otherwise;
}

/// The assistant's text in a message or a delta: a string, or a list of parts, such as thoughts and text.
std::string content_of(const Json& message) {
  const Json& content = member_or_null(message, "content");
  if (!content.is_array()) return text_member(message, "content");
  std::string text;
  for (const Json& part : content) {
    if (text_member(part, "type") == "text") text += text_member(part, "text");
  }
  return text;
}

CallResult unavailable(std::string detail) {
  CallResult result;
  result.status = CallStatus::kUnavailable;
  result.detail = std::move(detail);
  return result;
}

}  // namespace

std::string Completion::take_chunk(std::string_view data) {
  if (has_failed_ || is_done_) return {};
  if (data == "[DONE]") {
    is_done_ = true;
    return {};
  }
  auto chunk = parsed(data);
  const bool had_waiting = !high_surrogate_.empty();
  if (!chunk) chunk = parsed(mend_surrogates(data, high_surrogate_));
  if (!chunk) {
    fail(unavailable("the LLM provider's stream holds something that is not JSON"));
    return {};
  }
  std::string text = take(*chunk, "delta");
  if (had_waiting && !high_surrogate_.empty() && !text.empty()) {
    high_surrogate_.clear();  // the other half never came
    text.insert(0, "\xEF\xBF\xBD");
  }
  return text;
}

std::string Completion::take_last(std::string_view data) {
  const bool is_whole = data == "[DONE]" || parsed(data).has_value();
  return is_whole ? take_chunk(data) : std::string();
}

std::string Completion::take_whole(std::string_view body) {
  auto completion = parsed(body);
  if (!completion) completion = parsed(mend_surrogates(body, high_surrogate_));
  if (!completion || !completion->is_object()) {
    fail(unavailable("the LLM provider's answer is not JSON"));
    return {};
  }
  return take(*completion, "message");
}

std::string Completion::take(const Json& object, const char* message_member) {
  if (const Json& error = member_or_null(object, "error"); !error.is_null()) {
    fail(judge_stream_error(error));
    return {};
  }
  if (model_.empty()) model_ = text_member(object, "model");
  take_usage(member_or_null(object, "usage"));
  const Json& choices = member_or_null(object, "choices");
  if (!choices.is_array() || choices.empty()) return {};
  const Json& choice = choices.front();
  if (const std::string reason = text_member(choice, "finish_reason"); !reason.empty())
    finish_reason_ = reason;
  const Json& message = member_or_null(choice, message_member);
  if (!text_member(message, "refusal").empty()) has_refusal_ = true;
  std::string text = content_of(message);
  has_text_ = has_text_ || !text.empty();
  return text;
}

void Completion::take_usage(const Json& usage) {
  if (!usage.is_object()) return;
  const Json& prompt = member_or_null(usage, "prompt_tokens");
  const Json& completion = member_or_null(usage, "completion_tokens");
  const Json& cached = member_or_null(member_or_null(usage, "prompt_tokens_details"), "cached_tokens");
  const Json& reasoning =
      member_or_null(member_or_null(usage, "completion_tokens_details"), "reasoning_tokens");
  if (!is_possible(prompt) || !is_possible(completion) || !is_possible(cached) || !is_possible(reasoning)) {
    usage_ = {};  // one count that is wrong makes the others doubtful
    return;
  }
  usage_.prompt_tokens = count_or(prompt, usage_.prompt_tokens);
  usage_.completion_tokens = count_or(completion, usage_.completion_tokens);
  usage_.cached_tokens = count_or(cached, usage_.cached_tokens);
  reasoning_tokens_ = count_or(reasoning, 0);
  const bool is_counted_apart = usage_.prompt_tokens >= 0 && usage_.cached_tokens > usage_.prompt_tokens;
  if (is_counted_apart) usage_.prompt_tokens += usage_.cached_tokens;  // of which they are a part with us
}

void Completion::fail(CallResult failure) {
  failure_ = std::move(failure);
  has_failed_ = true;
}

CallResult Completion::result(const std::string& transfer_failure) const {
  CallResult result = failure_;
  if (!has_failed_) {
    if (has_refusal_) {
      result.status = CallStatus::kRefused;
      result.detail = "the model refused to write this project";
    } else if (finish_reason_ == "stop") {
      result.status = CallStatus::kComplete;
    } else if (finish_reason_ == "length") {
      result.status = CallStatus::kTruncated;
      result.detail =
          fmt::format("the answer was cut at the token limit (LLM_MAX_TOKENS); {} tokens were reasoning",
                      reasoning_tokens_);
    } else if (finish_reason_ == "content_filter") {
      result.status = CallStatus::kTruncated;
      result.detail = "the provider's content filter cut the answer";
    } else if (!finish_reason_.empty()) {
      result = unavailable("the LLM provider ended the answer for a reason we do not ask for");
    } else {
      result = unavailable(fmt::format("the LLM's stream was cut{}{}", transfer_failure.empty() ? "" : ": ",
                                       transfer_failure));
    }
  }
  result.usage = usage_;
  result.model = model_;
  return result;
}

}  // namespace gp::llm
