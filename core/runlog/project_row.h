#pragma once

#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/project/start_request.h"

namespace gp::runlog {

/// Is there a row for the run's project, or may we make one? It is inserted, with the document before any
/// event, where the table lets us. Where somebody holds a lock on it, for example because he is about to
/// insert the row, that is a yes: whoever writes the document finds out. Throws Error where the table fails
/// in any other way than by refusing the row. Outside of a transaction.
bool ensure_project(pg::Session& session, const RunId& run_id, const project::StartRequest& request);

}  // namespace gp::runlog
