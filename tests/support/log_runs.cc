#include "tests/support/log_runs.h"

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "test_sql.h"

namespace support {
namespace {

constexpr std::string_view kWords = "In pairs, compare two offers at the market and say which is fair. ";

std::string text_of(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += kWords;
  text.resize(bytes);
  return text;
}

std::size_t room_for_text(const gp::Json& rest, std::size_t bytes) {
  const std::size_t used = gp::dump_json(rest).size();
  return bytes > used ? bytes - used : 0;
}

}  // namespace

LogRuns::LogRuns(const gp::Secret& database_url, std::size_t count, std::size_t document_bytes)
    : prefix_(gp::make_uuid().substr(0, 24)),
      count_(count),
      document_(document_bytes > 0 ? document_of(document_bytes) : "{}") {
  gp::pg::Session session(database_url, "test");
  const auto last = static_cast<std::int64_t>(count) - 1;
  session.run(gp::test_sql::kInsertRuns, {prefix_, 0, last, token()});
  if (document_bytes > 0) session.run(gp::test_sql::kInsertProjects, {prefix_, 0, last, document_});
}

const std::string& LogRuns::token() {
  static const std::string token = gp::make_uuid();
  return token;
}

std::string LogRuns::id(std::size_t number) const { return fmt::format("{}{:012x}", prefix_, number); }

gp::project::Step LogRuns::step(std::size_t number, std::int64_t event_id, std::size_t data_bytes) const {
  const std::string run_id = id(number);
  return {gp::RunId(run_id),
          gp::LeaseToken(token()),
          {event_id, gp::project::EventType::kSectionCompleted,
           section_data(run_id, "made_" + run_id, event_id, data_bytes)},
          document_,
          {}};
}

gp::project::Step LogRuns::last_step(std::size_t number, std::int64_t event_id) const {
  gp::project::Step step = this->step(number, event_id);
  step.event.type = gp::project::EventType::kRunCompleted;
  step.end = gp::project::RunEnd{
      .complete = true, .error_code = {}, .error_message = {}, .usage = {}, .cost_usd = {}};
  return step;
}

std::string document_of(std::size_t bytes) {
  gp::Json document = {{"schema", "proj.v1"}, {"status", "generating"}, {"text", ""}};
  document["text"] = text_of(room_for_text(document, bytes));
  return gp::dump_json(document);
}

gp::Json section_data(const std::string& run_id, const std::string& project_id, std::int64_t index,
                      std::size_t bytes) {
  gp::Json data = {{"run_id", run_id},
                   {"project_id", project_id},
                   {"at", gp::format_rfc3339(gp::wall_now())},
                   {"section_id", "sec_01"},
                   {"name", "Market"},
                   {"index", index},
                   {"total", 6},
                   {"section", {{"text", ""}}}};
  data["section"]["text"] = text_of(room_for_text(data, bytes));
  return data;
}

}  // namespace support
