#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/llm/chat_call.h"

namespace gp::generation {

/// Of a Failure's message, in characters: it may quote names that a model has made up.
constexpr std::size_t kLongestMessage = 500;

/// Why an attempt cannot go on; becomes the `error` event. Codes are those of the public contract:
/// llm_unavailable, llm_rejected, llm_refused, llm_truncated, llm_parse, constraint, blocked_content,
/// timeout, cancelled, project_not_found, internal.
struct Failure {
  std::string code;
  std::string message;  ///< at most kLongestMessage characters
  std::string stage;    ///< "project", "llm_call", "checks", "validate", "run", "internal"
  bool retryable = false;
};

/// `message`, valid UTF-8, with "..." where something had to be cut.
std::string cut_message(const std::string& message);

/// One call and what became of its answer.
struct Answer {
  llm::CallResult result;
  std::string text;            ///< as it arrived
  std::vector<Fault> faults;   ///< of the parts that did not hold
  bool has_blocked = false;    ///< one of them is a blocked word
  std::string parse_problem;   ///< empty where the text was sound JSON as far as it went
  bool made_progress = false;  ///< the plan or a section came out of it
  bool is_given_up = false;    ///< we ended the call: whatever followed would have been of no use
};

/// Where the attempt stands when a call has ended.
struct Standing {
  std::vector<std::string> missing;  ///< "plan" or "sections.<id>"; empty: everything is written
  int calls_left = 0;
  bool is_repair_used = false;
  bool has_fallback = false;       ///< MODEL_FALLBACK is set and not yet in use
  std::vector<Fault> faults = {};  ///< that the call was shown
};

/// What an attempt does next.
struct Verdict {
  enum class Next {
    kFinish,  ///< everything is written
    kRetry,   ///< the same again after a wait, for what is missing; `failure` where there is no time for it
    kRepair,  ///< one more call, to put right what was wrong
    kUseFallback,    ///< the same with MODEL_FALLBACK; the call does not count
    kDropParameter,  ///< the same without the refused parameter; the call does not count; `failure` where it
                     ///< was dropped before
    kFail,
  };
  Next next = Next::kFinish;
  Failure failure = {};
  std::vector<Fault> faults = {};  ///< to show to the next call
};

/// The table from a call's end to the next thing to do. Pure. Sections that are written stay written whatever
/// comes next.
Verdict judge(const Answer& answer, const Standing& standing);

/// What a call that brought no text says of the provider.
enum class Sign {
  kUp,    ///< it answers, be it with a refusal
  kBusy,  ///< it is there and asks to come again later (429 and the like)
  kDown,  ///< no connection, an error of the server's, silence
  kNone,  ///< the call was stopped before it could say
};

Sign sign_of(const llm::CallResult& result);

}  // namespace gp::generation
