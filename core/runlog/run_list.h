#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/secret.h"

namespace gp::runlog {

/// A run for an operator's eyes: nothing that its teacher wrote, and no address.
struct ListedRun {
  RunId run_id;
  ProjectId project_id;
  std::string state;
  int attempt = 1;
  std::int64_t last_event_id = 0;
  std::string error_code;  ///< empty unless the state is error
  bool is_pruned = false;
  WallTime queued_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
};

/// The newest `limit` runs, those in `state` only where it is given. Throws Error(kUnavailable).
std::vector<ListedRun> list_runs(const Secret& database_url, const std::optional<std::string>& state,
                                 int limit);

}  // namespace gp::runlog
