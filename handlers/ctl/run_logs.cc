#include "handlers/ctl/run_logs.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "core/base/error.h"

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;

std::optional<RunId> run_of(const fs::directory_entry& entry) {
  std::error_code ignored;
  const bool is_folder = entry.is_directory(ignored) && !entry.is_symlink(ignored);
  if (!is_folder && entry.path().extension() != ".csv") return std::nullopt;
  return parse_run_id(is_folder ? entry.path().filename().string() : entry.path().stem().string());
}

}  // namespace

std::vector<RunLogs> find_run_logs(const std::string& csv_log_dir) {
  std::map<std::string, RunLogs> by_run;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(csv_log_dir, ignored)) {
    const auto run_id = run_of(entry);
    if (!run_id) continue;
    RunLogs& logs =
        by_run.try_emplace(run_id->str(), RunLogs{*run_id, {}, fs::file_time_type::min()}).first->second;
    logs.paths.push_back(entry.path());
    logs.newest = std::max(logs.newest, entry.last_write_time(ignored));
  }
  std::vector<RunLogs> all;
  for (auto& each : by_run) all.push_back(std::move(each.second));
  return all;
}

void remove_run_logs(const RunLogs& logs) {
  for (const fs::path& path : logs.paths) {
    std::error_code fault;
    fs::remove_all(path, fault);
    if (fault)
      throw Error(ErrorKind::kUnavailable,
                  fmt::format("cannot remove {}: {}", path.string(), fault.message()));
  }
}

}  // namespace gp::ctl
