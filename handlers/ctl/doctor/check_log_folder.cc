#include <fmt/format.h>

#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/folder_state.h"

namespace gp::ctl::doctor {
namespace {

constexpr std::int64_t kMiB = 1024 * 1024;
constexpr std::int64_t kLittleRoom = 256 * kMiB;

}  // namespace

Findings check_log_folder(const Config& config) {
  if (is_made_at_start(config.csv_log_dir))
    return {ok("log_folder", config.csv_log_dir + ": systemd makes it when the service starts")};
  if (const std::string fault = folder_fault(config.csv_log_dir); !fault.empty())
    return {fail("log_folder", fault, "let the service's user write there, or set CSV_LOG_DIR")};
  const auto room = free_bytes(config.csv_log_dir);
  if (room >= 0 && room < kLittleRoom) {
    return {warn("log_folder", fmt::format("{}: only {} MiB are free", config.csv_log_dir, room / kMiB),
                 "make room; generate-project prune removes logs older than RETENTION_S")};
  }
  return {ok("log_folder", config.csv_log_dir + " can be written")};
}

}  // namespace gp::ctl::doctor
