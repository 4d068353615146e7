#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/config.h"

namespace gp::llm {

/// What a provider says of one model.
struct ModelFacts {
  enum class Answer {
    kExists,
    kKeyRefused,
    kNoSuchModel,
    kCannotTell,  ///< it answered, but not this question: servers without GET /models/{model} are common
    kAway,        ///< no answer
  };
  Answer answer = Answer::kAway;
  std::string detail;  ///< for people: status and provider code, or the network's failure; no body, no key
  std::optional<std::chrono::sys_seconds> shutdown;     ///< when the provider will withdraw the model
  std::optional<std::chrono::sys_seconds> server_time;  ///< of the Date header
};

/// GET {OPENAI_BASE_URL}/models/{model} with the key; nothing is generated, nothing is charged. Waits at most
/// `patience`.
ModelFacts ask_for_model(const Config& config, const std::string& model, std::chrono::milliseconds patience);

/// What the answer means. `body` may be anything. Pure.
ModelFacts judge_model_answer(long status, std::string_view body);

}  // namespace gp::llm
