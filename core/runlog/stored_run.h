#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/pg/session.h"
#include "core/project/event.h"
#include "core/project/start_request.h"

namespace gp::runlog {

// A run as its rows hold it, read back into what a generation, or whoever ends a run, works with.

/// A run under a lease of ours, as the statements that take one return it. Nothing in it has been looked at
/// yet.
struct TakenRun {
  RunId run_id;
  LeaseToken token;
  ProjectId project_id;
  std::int64_t next_event_id = 1;
  std::int64_t former_takes = 0;  ///< how often a worker has had this attempt before
  std::string request;            ///< JSON text, see restore_request
  Secret owner_email;
};

TakenRun read_taken_run(const pg::Result& rows, int row);

/// Throws Error(kBug) where the text is not one of ours, Error(kBadInput) where it is no JSON.
project::StartRequest restore_request(const TakenRun& run);

/// Every event of the run, ids 1..n. Throws Error(kBug) where one is of a type that nobody knows.
std::vector<project::Event> read_events(pg::Session& session, const RunId& run_id);

}  // namespace gp::runlog
