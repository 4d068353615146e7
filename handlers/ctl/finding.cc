#include "handlers/ctl/finding.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace gp::ctl {
namespace {

using Verdict = Finding::Verdict;

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "fail";
}

auto count(const Findings& findings, Verdict verdict) {
  return std::ranges::count(findings, verdict, &Finding::verdict);
}

}  // namespace

Finding ok(std::string check, std::string found) {
  return {Verdict::kOk, std::move(check), std::move(found), {}};
}
Finding warn(std::string check, std::string found, std::string advice) {
  return {Verdict::kWarn, std::move(check), std::move(found), std::move(advice)};
}
Finding fail(std::string check, std::string found, std::string advice) {
  return {Verdict::kFail, std::move(check), std::move(found), std::move(advice)};
}

bool has_failed(const Findings& findings) { return count(findings, Verdict::kFail) > 0; }

std::string as_text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<5} {:<20} {}\n", name_of(finding.verdict), finding.check, finding.found);
    if (!finding.advice.empty()) text += fmt::format("{:<26} -> {}\n", "", finding.advice);
  }
  return text + fmt::format("{} ok, {} warnings, {} failures\n", count(findings, Verdict::kOk),
                            count(findings, Verdict::kWarn), count(findings, Verdict::kFail));
}

Json as_json(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json entry = {{"verdict", name_of(finding.verdict)}, {"check", finding.check}, {"found", finding.found}};
    if (!finding.advice.empty()) entry["advice"] = finding.advice;
    list.push_back(std::move(entry));
  }
  return {{"ok", !has_failed(findings)}, {"findings", std::move(list)}};
}

}  // namespace gp::ctl
