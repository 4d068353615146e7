#pragma once

#include "core/base/config.h"
#include "core/base/exit_code.h"
#include "core/runlog/event_reader.h"

namespace gp::ctl {

/// Prints the run's events from the cursor on, one line each, until it has ended; kFailure where that was in
/// error. Once the log has answered it goes on over outages of the database for as long as they last, and
/// says so on stderr. A run that has lost its worker is ended, as whoever follows a run does
/// (runlog::LostRunWatch). Throws Error(kUnavailable) where the database is away from the beginning,
/// Error(kNotFound) where there is no such run, or not any more, and std::system_error where the events
/// cannot be printed.
ExitCode follow(const Config& config, runlog::Cursor cursor, bool as_json);

}  // namespace gp::ctl
