#pragma once

#include <optional>
#include <string>

#include "core/base/json.h"
#include "core/base/metrics.h"
#include "core/runlog/log_probe.h"

namespace gp::readiness {

/// What GET /health/ready judges by.
struct Facts {
  std::optional<runlog::LogHealth> log;  ///< nothing: no answer in time
  bool has_database_url = true;
  metrics::HandlerNow events;  ///< the processes of this host
  metrics::HandlerNow workers;
};

/// One entry for each thing that the service depends on, each with a status:
///   ok        as it should be
///   degraded  the service does its work, but somebody should look
///   fail      requests to this host would fail, or nobody would work for them
/// Holds no address, no user and no message of a library: anybody may read it.
struct Verdict {
  bool is_ready = true;  ///< no entry has failed
  Json body;             ///< {"ok", "checks": {<name>: {"status", ...}}}
};

Verdict judge(const Facts& facts);

}  // namespace gp::readiness
