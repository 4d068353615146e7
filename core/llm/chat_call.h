#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/config.h"
#include "core/base/json.h"
#include "core/project/step.h"

namespace gp::llm {

/// How a call ended, by what the generator does next.
enum class CallStatus {
  kComplete,       ///< finish_reason stop, no refusal
  kUnavailable,    ///< 408, 409, 429, 5xx, no connection, cut stream, other errors inside an answer: may be
                   ///< tried again
  kQuota,          ///< 402, or a code that says the account is exhausted: final
  kRejected,       ///< 400, 401, 403 and the like, an answer in an encoding we did not ask for: final
  kModelNotFound,  ///< the provider does not know the model: MODEL_FALLBACK is tried
  kUnsupportedParameter,  ///< 400 or 422 that names an optional parameter of ours: dropped and tried again
  kRefused,               ///< the model refused, or the provider's content filter the prompt
  kTruncated,             ///< finish_reason length or content_filter
  kTimeout,               ///< silence past the first-byte or idle limit
  kCancelled,             ///< the stop function said so
};

/// As logs name it: "complete", "model_not_found" ...
std::string_view name_of(CallStatus status);

struct CallResult {
  CallStatus status = CallStatus::kUnavailable;
  std::string
      detail;  ///< for people: our sentence with status, provider code and curl's text; no body, no key
  long http_status = 0;  ///< with which the provider refused the call, or that the error inside its answer
                         ///< stands for; 0 where there is none
  std::optional<std::chrono::milliseconds> retry_after;  ///< from retry-after-ms or Retry-After
  std::string parameter;                                 ///< with kUnsupportedParameter: its name
  project::Usage usage;
  /// The provider may have begun to work, and be paid for it, whatever came of it: it accepted the call, or
  /// had it and said neither yes nor no. False where it refused or could not be reached.
  bool may_be_billed = false;
  std::string model;  ///< as the provider names it; empty where no chunk arrived
};

/// One streaming chat-completions call, pulled: code that uses it reads top to bottom. One thread; make after
/// fork.
class ChatCall {
 public:
  /// `should_stop` is asked at least every 200 ms; true ends the call with kCancelled.
  ChatCall(const Config& config, const Json& body, std::function<bool()> should_stop);
  ~ChatCall();

  /// Waits for the next bytes of the assistant's text. Nothing: the call has ended, see result(). Never
  /// throws for what the provider or the network does.
  std::optional<std::string> next_text();

  /// Valid once next_text() has returned nothing.
  const CallResult& result() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::llm
