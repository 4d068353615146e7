#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"

namespace gp::ctl {

/// What CSV_LOG_DIR holds of one run: `<run_id>.csv` and the folder `<run_id>`.
struct RunLogs {
  RunId run_id;
  std::vector<std::filesystem::path> paths;
  std::filesystem::file_time_type newest;  ///< when one of them last changed
};

/// Of all runs; files of other names are not the service's and passed over.
std::vector<RunLogs> find_run_logs(const std::string& csv_log_dir);

/// Removes the file, or the folder with all that is in it; somebody else may be at the same. Returns what
/// stands in the way, "cannot remove ...", and nothing where it is gone.
std::optional<std::string> remove_path(const std::filesystem::path& path);

}  // namespace gp::ctl
