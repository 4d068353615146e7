#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"

namespace gp::ctl {

/// One line of doctor's report. Holds no secret: what a check is given as one it never puts into a text.
struct Finding {
  enum class Verdict { kOk, kWarn, kFail };
  Verdict verdict = Verdict::kOk;
  std::string check;   ///< what was looked at: "database.schema"
  std::string found;   ///< how it is, as a sentence
  std::string advice;  ///< what to do; empty where it is as it should be
};
using Findings = std::vector<Finding>;

Finding ok(std::string check, std::string found);
Finding warn(std::string check, std::string found, std::string advice);
Finding fail(std::string check, std::string found, std::string advice);

bool has_failed(const Findings& findings);

/// One line each, "ok    database.schema    ...", and the advice under it; then how many there are of each.
std::string as_text(const Findings& findings);

/// {"ok", "findings": [{"verdict", "check", "found", "advice"}]}; advice only where there is one.
Json as_json(const Findings& findings);

}  // namespace gp::ctl
