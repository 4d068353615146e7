#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/project/event.h"

namespace gp::project {

/// What an attempt cost. -1: the provider did not tell.
struct Usage {
  std::int64_t prompt_tokens = -1;
  std::int64_t cached_tokens = 0;  ///< part of prompt_tokens
  std::int64_t completion_tokens = -1;
};

/// How a run's attempt ended; written to generation_runs together with the terminal event.
struct RunEnd {
  bool complete = false;      ///< true: run_completed; false: error
  std::string error_code;     ///< empty where complete
  std::string error_message;  ///< redacted
  Usage usage;                ///< of this attempt, all its calls added up
  std::optional<double> cost_usd;
  std::int64_t llm_calls = 0;  ///< of this attempt
};

/// One step of a generation: an event and the document after it, which become visible together in one
/// PostgreSQL transaction (P1). It is what the outbox holds and what the shipper writes. `token` fences it: a
/// step of a worker that lost its lease is refused.
struct Step {
  RunId run_id;
  LeaseToken token;
  Event event;
  std::string document;       ///< the whole proj.v1 text after `event`
  std::optional<RunEnd> end;  ///< set on terminal events only
};

}  // namespace gp::project
