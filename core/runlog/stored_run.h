#pragma once

#include <vector>

#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/project/event.h"
#include "core/project/start_request.h"

namespace gp::runlog {

// A run as its rows hold it, read back into what a generation, or whoever ends a run, works with.

/// Of a row with the columns request and owner_email. Throws Error(kBug) where the text is not one of ours.
project::StartRequest restore_request(const pg::Result& rows, int row);

/// Every event of the run, ids 1..n.
std::vector<project::Event> read_events(pg::Session& session, const RunId& run_id);

}  // namespace gp::runlog
