#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/llm/chat_call.h"

namespace gp::llm {

/// A header of the provider's answer by its name in lower case; empty where there is none.
using HeaderLookup = std::function<std::string(std::string_view name)>;

/// What an HTTP status other than 200 means for the call. `body` may be anything: JSON of the usual shape,
/// HTML of a proxy, nothing. Pure.
CallResult judge_http_error(long status, const HeaderLookup& header, std::string_view body, WallTime now);

/// What an error object inside an answer that began well means: {"message", "type", "param", "code"}, where
/// code may be text, a number or null. It is judged like the HTTP status it stands for, where that is known.
CallResult judge_stream_error(const Json& error);

/// " (text)" where `text` is a short code of letters, digits and a few signs, which cannot quote anything;
/// else empty.
std::string in_brackets(const std::string& text);

/// How long the provider asks to wait: retry-after-ms, else Retry-After in seconds or as a date.
std::optional<std::chrono::milliseconds> retry_after(const HeaderLookup& header, WallTime now);

}  // namespace gp::llm
