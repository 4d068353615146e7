#pragma once

#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/project/start_request.h"

namespace gp::runlog {

/// Is there a row for the run's project, or may we make one? It is inserted, with the document before any
/// event, where the table lets us. Throws Error where no project could be looked at (the table, or its column
/// id, is not there), also where somebody holds a lock on it for longer than kLockPatience (is_lock_timeout),
/// for example because he is about to insert the row. Outside of a transaction.
bool ensure_project(pg::Session& session, const RunId& run_id, const project::StartRequest& request);

}  // namespace gp::runlog
