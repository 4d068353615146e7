#pragma once

#include "core/base/config.h"
#include "core/base/exit_code.h"
#include "core/runlog/event_reader.h"

namespace gp::ctl {

/// Prints the run's events from the cursor on, one line each, until it has ended, over restarts of the
/// database. kFailure where it ended in error. Throws Error(kNotFound) where there is no such run, or not any
/// more.
ExitCode follow(const Config& config, runlog::Cursor cursor, bool as_json);

}  // namespace gp::ctl
