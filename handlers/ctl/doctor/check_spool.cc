#include <filesystem>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/spool/spool_inspection.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/folder_state.h"

namespace gp::ctl::doctor {
namespace {

constexpr std::int64_t kMiB = 1024 * 1024;
constexpr std::int64_t kManySteps = 1000;
constexpr std::int64_t kLargeLog = 64 * kMiB;  ///< four times what the service lets it be

Finding judge_file(const spool::SpoolFacts& facts, const Config& config) {
  if (!facts.exists) return ok("spool.file", "not made yet; the first process that starts makes it");
  const std::string state = fmt::format("{}: {} MiB, {} steps that PostgreSQL does not have yet",
                                        config.spool_path, facts.bytes / kMiB, facts.unconfirmed);
  if (facts.unconfirmed > kManySteps) {
    return warn("spool.file", state,
                "normal while PostgreSQL is away; otherwise look at the worker's log: journalctl -u "
                "generate-project-worker");
  }
  return ok("spool.file", state);
}

Findings judge_log(const spool::SpoolFacts& facts) {
  if (facts.log_bytes < kLargeLog) return {};
  return {warn("spool.log",
               fmt::format("the spool's write-ahead log has grown to {} MiB: somebody reads and does not end",
                           facts.log_bytes / kMiB),
               "end the shell, backup or stopped process that has the spool open: fuser <SPOOL_PATH>")};
}

Findings judge_room(const std::string& folder, const Config& config) {
  const auto room = free_bytes(folder);
  if (room < 0 || room >= config.spool_max_bytes) return {};
  return {warn(
      "spool.disk",
      fmt::format("{} MiB are free, SPOOL_MAX_BYTES allows {}", room / kMiB, config.spool_max_bytes / kMiB),
      "make room, or lower SPOOL_MAX_BYTES")};
}

}  // namespace

Findings check_spool(const Config& config) {
  const std::string folder = std::filesystem::path(config.spool_path).parent_path().string();
  if (is_made_at_start(folder))
    return {ok("spool.folder", folder + ": systemd makes it when the service starts")};
  if (const std::string fault = folder_fault(folder.empty() ? "." : folder); !fault.empty())
    return {fail("spool.folder", fault, "let the service's user write there, or set SPOOL_PATH")};
  Findings findings;
  try {
    const auto facts = spool::inspect_spool(config.spool_path);
    findings.push_back(judge_file(facts, config));
    for (Finding& finding : judge_log(facts)) findings.push_back(std::move(finding));
    if (!facts.set_aside.empty()) {
      findings.push_back(
          warn("spool.set_aside",
               fmt::format("{} damaged files were set aside, the newest is {}", facts.set_aside.size(),
                           facts.set_aside.back()),
               "look for a failing disk; generate-project prune removes all but the newest two"));
    }
  } catch (const Error& error) {
    const bool is_damaged = error.kind() == ErrorKind::kConflict;
    findings.push_back(fail("spool.file", error.what(),
                            is_damaged ? "restart the service: it sets the file aside and begins a new one"
                                       : "let the service's user read and write the file and its folder"));
  }
  for (Finding& finding : judge_room(folder, config)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace gp::ctl::doctor
