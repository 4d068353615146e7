#pragma once

#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/json.h"
#include "core/project/event.h"
#include "core/project/start_request.h"

namespace gp::project {

/// Where a run's CSV log is published: "<base>/<run_id>.csv"; empty (logs.csv_url is null) where nothing is.
std::string csv_url(const std::string& base_url, const RunId& run_id);

/// The proj.v1 document of a run: the fold of its request and its events, and nothing else. The generator, a
/// successor after a crash, and a test that has only the stream all build it by the same `apply`, so they
/// cannot differ.
///
/// Status follows from the events: planning after run_started without a plan, generating once there is a
/// plan, validating when every planned section is there, complete after run_completed, error after error. A
/// later run_started (next attempt) keeps plan and sections and clears validator. Pure; copyable; one thread
/// at a time.
class Document {
 public:
  /// The document before any event: status planning, a plan without sections (so that a reader can always
  /// walk over plan.sections), no sections. `csv_url` may be empty: logs.csv_url null.
  Document(const RunId& run_id, const StartRequest& request, const std::string& csv_url);

  /// Folds one event in. Throws Error(kBug) where the data lacks what its type promises (event.h).
  void apply(const Event& event);

  /// The whole document, members in the order of proj.v1's schema.
  const Json& json() const noexcept { return json_; }

  bool has_plan() const;  ///< false while plan.sections is empty
  const Json& plan() const { return json_.at("plan"); }
  const Json& sections() const { return json_.at("sections"); }
  std::vector<std::string> planned_sections() const;    ///< ids in plan order; empty before the plan
  std::vector<std::string> completed_sections() const;  ///< in plan order
  std::vector<std::string> missing_sections() const;    ///< in plan order

 private:
  void add_section(const Event& event);

  Json json_;
};

}  // namespace gp::project
