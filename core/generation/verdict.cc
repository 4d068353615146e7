#include "core/generation/verdict.h"

#include <utility>

#include <fmt/format.h>

namespace gp::generation {
namespace {

using llm::CallStatus;
using Next = Verdict::Next;

std::string describe(const std::vector<Fault>& faults) {
  const Fault& first = faults.front();
  const std::string more =
      faults.size() > 1 ? fmt::format(" (and {} more)", faults.size() - 1) : std::string();
  return fmt::format("{}: {}{}", first.field, first.problem, more);
}

Verdict fail(Failure failure) { return {Next::kFail, std::move(failure)}; }

Verdict retry_while_calls_are_left(const Answer& answer, const Standing& standing, Failure failure) {
  return {standing.calls_left > 0 ? Next::kRetry : Next::kFail, std::move(failure), answer.faults};
}

/// The call ended well, and yet something is missing.
Verdict judge_content(const Answer& answer, const Standing& standing) {
  std::vector<Fault> faults = answer.faults;
  Failure failure{"constraint", "", "checks", true};
  if (!answer.parse_problem.empty()) {
    faults.push_back({"answer", answer.parse_problem});
    failure.code = "llm_parse";
  } else if (answer.has_blocked) {
    failure.code = "blocked_content";
  }
  if (faults.empty()) {
    for (const std::string& part : standing.missing) faults.push_back({part, "is missing"});
  }
  failure.message = describe(faults);
  const bool may_repair = !standing.is_repair_used && standing.calls_left > 0;
  return {may_repair ? Next::kRepair : Next::kFail, std::move(failure), std::move(faults)};
}

}  // namespace

Verdict judge(const Answer& answer, const Standing& standing) {
  if (standing.missing.empty()) return {Next::kFinish};  // even where the stream broke after the last section
  const std::string& detail = answer.result.detail;
  switch (answer.result.status) {
    case CallStatus::kComplete:
      return judge_content(answer, standing);
    case CallStatus::kUnavailable:
      return retry_while_calls_are_left(answer, standing, {"llm_unavailable", detail, "llm_call", true});
    case CallStatus::kTimeout:
      return retry_while_calls_are_left(answer, standing, {"timeout", detail, "llm_call", true});
    case CallStatus::kTruncated: {
      const Failure failure{"llm_truncated", detail, "llm_call", true};
      return answer.made_progress ? retry_while_calls_are_left(answer, standing, failure) : fail(failure);
    }
    case CallStatus::kQuota:
      return fail({"llm_rejected", detail, "llm_call", true});
    case CallStatus::kRejected:
      return fail({"llm_rejected", detail, "llm_call", false});
    case CallStatus::kRefused:
      return fail({"llm_refused", detail, "llm_call", false});
    case CallStatus::kModelNotFound:
      return {standing.has_fallback ? Next::kUseFallback : Next::kFail,
              {"llm_rejected", detail, "llm_call", false}};
    case CallStatus::kUnsupportedParameter:
      return {Next::kDropParameter, {"llm_rejected", detail, "llm_call", false}};
    case CallStatus::kCancelled:
      return fail({"timeout", "the attempt took longer than RUN_TIMEOUT_S", "run", true});
  }
  return fail({"internal", "a call ended in an unknown way", "internal", true});
}

}  // namespace gp::generation
