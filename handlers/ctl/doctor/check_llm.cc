#include <fmt/format.h>

#include "core/base/error.h"
#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

using Answer = llm::ModelFacts::Answer;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{15};
constexpr std::chrono::days kSoon{90};

std::string check_name(const std::string& setting) { return "llm." + setting; }

Finding judge_existing(const std::string& setting, const std::string& model, const llm::ModelFacts& facts,
                       WallTime now) {
  if (!facts.shutdown) return ok(check_name(setting), fmt::format("the provider knows {}", model));
  const std::string day = format_rfc3339(*facts.shutdown).substr(0, 10);
  const std::string found = fmt::format("the provider shuts {} down on {}", model, day);
  if (*facts.shutdown <= now) return fail(check_name(setting), found, "set " + setting + " to a newer model");
  if (*facts.shutdown <= now + kSoon) {
    return warn(check_name(setting), found, fmt::format("set {} to a newer model before that day", setting));
  }
  return ok(check_name(setting), found);
}

milliseconds ahead_of(std::chrono::sys_seconds server_time) {
  // The header's second has passed by half of itself on average.
  return std::chrono::duration_cast<milliseconds>(server_time + milliseconds(500) - wall_now());
}

}  // namespace

Finding judge_model(const std::string& setting, const std::string& model, const llm::ModelFacts& facts,
                    WallTime now) {
  switch (facts.answer) {
    case Answer::kExists:
      return judge_existing(setting, model, facts, now);
    case Answer::kKeyRefused:
      return fail("llm.OPENAI_API_KEY", fmt::format("the provider refuses the key ({})", facts.detail),
                  "put a valid one into OPENAI_API_KEY and restart generate-project-worker");
    case Answer::kNoSuchModel:
      return fail(check_name(setting), fmt::format("the provider does not know {} ({})", model, facts.detail),
                  fmt::format("set {} to a model that your key may use", setting));
    case Answer::kCannotTell:
      return warn(check_name(setting),
                  fmt::format("the provider does not say whether it has {} ({})", model, facts.detail),
                  "start a run to see: generate-project run --help");
    case Answer::kAway:
      break;
  }
  return fail("llm.OPENAI_BASE_URL", fmt::format("the provider cannot be reached ({})", facts.detail),
              "is OPENAI_BASE_URL right, and may this host reach it?");
}

Findings check_llm(const Config& config, std::optional<milliseconds>& ahead) {
  Findings findings;
  for (const auto& [setting, model] : {std::pair("MODEL_PRIMARY", config.model_primary),
                                       std::pair("MODEL_FALLBACK", config.model_fallback)}) {
    if (model.empty()) continue;
    try {
      const auto facts = llm::ask_for_model(config, model, kPatience);
      if (facts.server_time) ahead = ahead_of(*facts.server_time);
      findings.push_back(judge_model(setting, model, facts, wall_now()));
      if (facts.answer == Answer::kAway || facts.answer == Answer::kKeyRefused)
        break;  // it would say so again
    } catch (const Error& error) {
      findings.push_back(fail("llm.OPENAI_BASE_URL", error.what(), "correct OPENAI_BASE_URL"));
      break;
    }
  }
  return findings;
}

}  // namespace gp::ctl::doctor
