#include "core/generation/verdict.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/base/utf8.h"

namespace gp::generation {
namespace {

using llm::CallStatus;
using Next = Verdict::Next;

std::string describe(const std::vector<Fault>& faults) {
  const Fault& first = faults.front();
  const std::string more =
      faults.size() > 1 ? fmt::format(" (and {} more)", faults.size() - 1) : std::string();
  return cut_message(fmt::format("{}: {}{}", first.field, first.problem, more));
}

bool is_about(const Fault& fault, const std::string& part) {
  return fault.field == part || fault.field.starts_with(part + ".") || fault.field.starts_with(part + "[");
}

/// True where `fault`, which the call was to put right, is still to be put right and the answer says nothing
/// newer of that part. One that is about no part is of the answer as a whole.
bool is_still_due(const Fault& fault, const Answer& answer, const Standing& standing) {
  if (!is_about(fault, "plan") && !is_about(fault, "sections")) return answer.faults.empty();
  return std::ranges::any_of(standing.missing, [&](const std::string& part) {
    return is_about(fault, part) &&
           std::ranges::none_of(answer.faults, [&](const Fault& newer) { return is_about(newer, part); });
  });
}

/// What the next call has to put right where this one ended by something that has nothing to do with it.
std::vector<Fault> faults_due(const Answer& answer, const Standing& standing) {
  std::vector<Fault> due = answer.faults;
  std::ranges::copy_if(standing.faults, std::back_inserter(due),
                       [&](const Fault& fault) { return is_still_due(fault, answer, standing); });
  return due;
}

Verdict fail(Failure failure) { return {Next::kFail, std::move(failure)}; }

Verdict retry_while_calls_are_left(const Answer& answer, const Standing& standing, Failure failure) {
  return {standing.calls_left > 0 ? Next::kRetry : Next::kFail, std::move(failure),
          faults_due(answer, standing)};
}

/// The answer is all there is to it, and yet something is missing.
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
  if (answer.is_given_up) return judge_content(answer, standing);
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
              {"llm_rejected", detail, "llm_call", false},
              faults_due(answer, standing)};
    case CallStatus::kUnsupportedParameter:
      return {
          Next::kDropParameter, {"llm_rejected", detail, "llm_call", false}, faults_due(answer, standing)};
    case CallStatus::kCancelled:
      return fail({"timeout", "the attempt took longer than RUN_TIMEOUT_S", "run", true});
  }
  return fail({"internal", "a call ended in an unknown way", "internal", true});
}

Sign sign_of(const llm::CallResult& result) {
  switch (result.status) {
    case CallStatus::kTimeout:
      return Sign::kDown;
    case CallStatus::kUnavailable:
      return result.http_status >= 400 && result.http_status < 500 ? Sign::kBusy : Sign::kDown;
    case CallStatus::kCancelled:
      return Sign::kNone;
    default:
      return Sign::kUp;
  }
}

std::string cut_message(const std::string& message) {
  constexpr std::size_t kEllipsis = 3;
  return utf8::length(message) > kLongestMessage ? utf8::truncate(message, kLongestMessage - kEllipsis)
                                                 : message;
}

}  // namespace gp::generation
