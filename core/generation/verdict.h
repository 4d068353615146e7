#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/llm/chat_call.h"

namespace gp::generation {

/// Why an attempt cannot go on; becomes the `error` event. Codes are those of the public contract:
/// llm_unavailable, llm_rejected, llm_refused, llm_truncated, llm_parse, constraint, blocked_content,
/// timeout, cancelled, project_not_found, internal.
struct Failure {
  std::string code;
  std::string message;
  std::string stage;  ///< "project", "llm_call", "checks", "validate", "run", "internal"
  bool retryable = false;
};

/// One call and what became of its answer.
struct Answer {
  llm::CallResult result;
  std::string text;            ///< as it arrived
  std::vector<Fault> faults;   ///< of the parts that did not hold
  bool has_blocked = false;    ///< one of them is a blocked word
  std::string parse_problem;   ///< empty where the text was sound JSON as far as it went
  bool made_progress = false;  ///< the plan or a section came out of it
};

/// Where the attempt stands when a call has ended.
struct Standing {
  std::vector<std::string> missing;  ///< "plan" or "sections.<id>"; empty: everything is written
  int calls_left = 0;
  bool is_repair_used = false;
  bool has_fallback = false;  ///< MODEL_FALLBACK is set and not yet in use
};

/// What an attempt does next.
struct Verdict {
  enum class Next {
    kFinish,  ///< everything is written
    kRetry,   ///< the same again after a wait, for what is missing; `failure` where there is no time for it
    kRepair,  ///< one more call that is shown `faults`
    kUseFallback,    ///< the same with MODEL_FALLBACK; the call does not count
    kDropParameter,  ///< the same without the refused parameter; the call does not count; `failure` where it
                     ///< was dropped before
    kFail,
  };
  Next next = Next::kFinish;
  Failure failure = {};
  std::vector<Fault> faults = {};
};

/// The table from a call's end to the next thing to do. Pure. Sections that are written stay written whatever
/// comes next.
Verdict judge(const Answer& answer, const Standing& standing);

}  // namespace gp::generation
