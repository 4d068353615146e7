#include "core/spool/step_row.h"

#include <string>

#include "core/base/error.h"
#include "core/base/json.h"

namespace gp::spool {
namespace {

sqlite::Value end_as_text(const std::optional<project::RunEnd>& end) {
  if (!end) return nullptr;
  return dump_json({{"complete", end->complete},
                    {"error_code", end->error_code},
                    {"error_message", end->error_message},
                    {"prompt_tokens", end->usage.prompt_tokens},
                    {"cached_tokens", end->usage.cached_tokens},
                    {"completion_tokens", end->usage.completion_tokens},
                    {"cost_usd", end->cost_usd ? Json(*end->cost_usd) : Json(nullptr)},
                    {"llm_calls", end->llm_calls}});
}

project::RunEnd end_from_text(const std::string& text) {
  const Json json = parse_json(text);
  project::RunEnd end;
  end.complete = json.at("complete").get<bool>();
  end.error_code = json.at("error_code").get<std::string>();
  end.error_message = json.at("error_message").get<std::string>();
  end.usage.prompt_tokens = json.at("prompt_tokens").get<std::int64_t>();
  end.usage.cached_tokens = json.at("cached_tokens").get<std::int64_t>();
  end.usage.completion_tokens = json.at("completion_tokens").get<std::int64_t>();
  if (!json.at("cost_usd").is_null()) end.cost_usd = json.at("cost_usd").get<double>();
  end.llm_calls = json.at("llm_calls").get<std::int64_t>();
  return end;
}

project::Step parse_step(const sqlite::Statement& row) {
  project::Step step;
  step.run_id = RunId(row.text(1));
  step.token = LeaseToken(row.text(2));
  const auto type = project::parse_event_type(row.text(4));
  if (!type) throw Error(ErrorKind::kConflict, "an event of unknown type");
  step.event = {row.number(3), *type, parse_json(row.text(5))};
  step.document = row.text(6);
  if (!row.is_null(7)) step.end = end_from_text(row.text(7));
  return step;
}

}  // namespace

void run_with_step(sqlite::Statement& statement, const sqlite::Value& sequence, std::int64_t slot,
                   const project::Step& step) {
  statement.run({sequence, slot, step.run_id.str(), step.token.str(), step.event.id,
                 std::string(name_of(step.event.type)), dump_json(step.event.data), step.document,
                 end_as_text(step.end)});
}

project::Step read_step(const sqlite::Statement& row) {
  try {
    return parse_step(row);
  } catch (const std::exception&) {
    throw Error(ErrorKind::kConflict, "the spool holds a step that cannot be read");
  }
}

}  // namespace gp::spool
