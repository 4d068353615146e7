#pragma once

#include <vector>

#include "core/project/step.h"
#include "core/sqlite/database.h"

namespace gp::spool {

/// Runs append_step (`sequence` null) or carry_step.
void run_with_step(sqlite::Statement& statement, const sqlite::Value& sequence, std::int64_t slot,
                   const project::Step& step);

/// The step in a row of read_pending, read_steps_of_lease or read_unconfirmed. Throws Error(kConflict) where
/// it is none: the row is damaged.
project::Step read_step(const sqlite::Statement& row);

}  // namespace gp::spool
