#pragma once

#include <chrono>
#include <string>

#include "core/base/ids.h"
#include "core/pg/session.h"

namespace gp::runlog {

// A run's document once more, from what the log holds: the fold of its request and its events. What
// `projects` holds is a copy of it, written with each event; this is the way back where that copy could not
// be written, or where somebody has overwritten or removed it.

/// JSON: the document after the newest event. `csv_base_url` as in the settings: logs.csv_url is folded anew
/// with the rest. Outside of a transaction. Throws Error(kNotFound) where there is no such run, or where its
/// events are pruned; Error(kBug) or Error(kBadInput) where what is stored of it cannot be read back.
std::string rebuild_document(pg::Session& session, const RunId& run_id, const std::string& csv_base_url);

/// Writes it into the project's row, which is inserted where there is none, in one transaction in which the
/// run gets no event: a worker that has the run goes on from there. A run without events leaves a row as it
/// is. Returns false, and writes nothing, where a later run of the project exists, whose document it has.
/// Throws as rebuild_document; what the projects table refuses it with; Error(kUnavailable) with
/// is_lock_timeout() where somebody holds a lock on the row for longer than `patience`.
bool store_rebuilt_document(pg::Session& session, const RunId& run_id, const std::string& csv_base_url,
                            std::chrono::milliseconds patience);

}  // namespace gp::runlog
