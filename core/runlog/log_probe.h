#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "core/base/secret.h"
#include "core/runlog/schema.h"

namespace gp::runlog {

/// How the database of the run log is, as one look finds it.
struct LogHealth {
  bool is_reachable = false;
  std::chrono::milliseconds took{0};  ///< for the whole look, connecting included where it had to
  Schema schema;
  std::int64_t queued = 0;  ///< runs that wait for a worker; not looked at where the schema does not fit
  std::chrono::seconds oldest_queued{0};
  bool is_read_only = false;  ///< it takes no writes: a standby, or a setting; looked at with the queue
};

/// Looks at the database for GET /health/ready: two short statements, in one transaction, on a session that
/// is kept; each may take 2 s. A server process that stands still is given up after 3 s, and another one
/// asked. Not thread-safe; make it after fork.
class LogProbe {
 public:
  explicit LogProbe(Secret database_url);
  ~LogProbe();

  /// May block for as long as libpq does; whatever is wrong with the database is in the answer. A change from
  /// reachable to not, and back, is reported, with the reason that the answer does not hold.
  LogHealth look() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
