#include "core/runlog/stored_run.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "sql.h"

namespace gp::runlog {

TakenRun read_taken_run(const pg::Result& rows, int row) {
  return {RunId(rows.text(row, "run_id")),         LeaseToken(rows.text(row, "lease_token")),
          ProjectId(rows.text(row, "project_id")), rows.number(row, "next_event_id"),
          rows.number(row, "former_takes"),        rows.text(row, "request"),
          Secret(rows.text(row, "owner_email"))};
}

project::StartRequest restore_request(const TakenRun& run) {
  return project::restore_start_request(parse_json(run.request), run.owner_email);
}

std::vector<project::Event> read_events(pg::Session& session, const RunId& run_id) {
  const auto rows = session.run(sql::kReadRunEvents, {run_id.str()});
  std::vector<project::Event> events;
  for (int row = 0; row < rows.size(); ++row) {
    const auto type = project::parse_event_type(rows.text(row, "type"));
    if (!type) throw Error(ErrorKind::kBug, "an event of unknown type is stored");
    events.push_back({rows.number(row, "id"), *type, parse_json(rows.text(row, "data"))});
  }
  return events;
}

}  // namespace gp::runlog
