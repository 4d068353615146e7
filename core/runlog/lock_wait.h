#pragma once

#include <chrono>

#include "core/base/error.h"
#include "core/pg/session.h"

namespace gp::runlog {

/// How long a statement that touches the table `projects` waits for a lock. Rows of that table are the
/// calling app's as well, and it may hold one for as long as it likes: nobody else's run may wait for it. So
/// long waits a request for a run's own row as well, which a worker's host that vanished may hold for hours.
inline constexpr std::chrono::milliseconds kLockPatience{1500};
/// The same for a row that was waited for before.
inline constexpr std::chrono::milliseconds kShortLockPatience{200};

enum class LockScope { kSession, kTransaction };

/// The statement after which nothing waits longer than `patience` for a lock. For a session only where no
/// pooler is between (pg::Session::is_pooled).
pg::Call limit_lock_wait(std::chrono::milliseconds patience, LockScope scope);

/// Runs `call`, and prepares it at its first use, as transactions of their own in which no lock is waited for
/// longer than kLockPatience. Outside of a transaction.
pg::Result run_impatiently(pg::Session& session, const pg::Call& call);

/// Is the database, or the way to it, away? Ask is_lock_timeout and is_right_missing first, where these are
/// to be told apart.
bool is_away(const Error& error);

/// Was a lock not to be had in time? Error(kUnavailable), but the database is not away.
bool is_lock_timeout(const Error& error);

/// Does our role lack a right? Error(kUnavailable) as well: it may be granted while we run, so what is our
/// own waits for that. The calling app's table `projects` has then refused what it was given.
bool is_right_missing(const Error& error);

}  // namespace gp::runlog
