#include "handlers/ctl/run_logs.h"

#include <algorithm>
#include <map>
#include <system_error>

#include <fmt/format.h>

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

std::optional<std::string> remove_path(const fs::path& path) {
  std::error_code fault;
  // What is in a folder may go while we look at it; each time that is one less.
  do {
    fs::remove_all(path, fault);
  } while (fault == std::errc::no_such_file_or_directory);
  if (!fault) return std::nullopt;
  return fmt::format("cannot remove {}: {}", path.string(), fault.message());
}

}  // namespace gp::ctl
