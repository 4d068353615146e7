#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"
#include "core/base/json.h"

namespace gp::project {

/// The events of a run, as they are stored and streamed. Names are part of the public contract.
enum class EventType {
  kRunStarted,
  kPlanCompleted,
  kSectionStarted,
  kSectionCompleted,
  kRunCompleted,
  kError
};

std::string_view name_of(EventType type);  ///< "run_started" ...
std::optional<EventType> parse_event_type(std::string_view name);

/// True for the events that end an attempt. A later attempt of the same run may follow an `error`.
constexpr bool is_terminal(EventType type) {
  return type == EventType::kRunCompleted || type == EventType::kError;
}

/// One event of one run. `id` counts 1, 2, 3 ... within the run, over all its attempts, without gap or
/// repeat. `data` always holds run_id, project_id and at (RFC 3339, ms); the other members depend on the
/// type:
///   run_started        attempt, model, resumed_sections (list of ids); once for each take, and where
///                      MODEL_FALLBACK takes over
///   plan_completed     plan                                      (proj.v1's plan, blocklist_ok included)
///   section_started    section_id, name, index                   (index counts from 1 in plan order)
///   section_completed  section_id, name, index, total, section   (proj.v1's section)
///   run_completed      sections (count), duration_ms, tokens {prompt, completion}, cost_est (number or
///                      null), validator
///   error              code, message, stage, retryable (a program may start the run again by itself; a
///                      person always may)
struct Event {
  std::int64_t id = 0;
  EventType type = EventType::kRunStarted;
  Json data;
};

/// An event's whole data: run_id, project_id and `at` (RFC 3339, ms), then the type's own `members`.
Json event_data(const RunId& run_id, const ProjectId& project_id, const std::string& at, const Json& members);

}  // namespace gp::project
