#include <cstdlib>

#include <fmt/format.h>

#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNoticeable{2000};  ///< times in logs and the measured lag are off by so much
constexpr milliseconds kHarmful{60'000};   ///< certificates and retry dates are misjudged

Finding judge(const std::string& check, const std::string& whose, milliseconds ahead) {
  const auto off = std::chrono::abs(ahead);
  const std::string found = fmt::format("{}.{} s {} {}'s clock", off.count() / 1000, off.count() % 1000 / 100,
                                        ahead.count() > 0 ? "behind" : "ahead of", whose);
  const std::string advice = "let a time service set this host's clock: timedatectl set-ntp true";
  if (off >= kHarmful) return fail(check, found, advice);
  if (off >= kNoticeable) return warn(check, found, advice);
  return ok(check, found);
}

}  // namespace

Findings check_clock(std::optional<milliseconds> database_ahead, std::optional<milliseconds> provider_ahead) {
  Findings findings;
  if (database_ahead) findings.push_back(judge("clock.database", "the database", *database_ahead));
  if (provider_ahead) findings.push_back(judge("clock.provider", "the provider", *provider_ahead));
  if (findings.empty())
    findings.push_back(warn("clock", "nobody to compare it with", "see the failures above"));
  return findings;
}

}  // namespace gp::ctl::doctor
