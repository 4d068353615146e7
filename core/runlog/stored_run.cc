#include "core/runlog/stored_run.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "sql.h"

namespace gp::runlog {

project::StartRequest restore_request(const pg::Result& rows, int row) {
  return project::restore_start_request(parse_json(rows.text(row, "request")),
                                        Secret(rows.text(row, "owner_email")));
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
