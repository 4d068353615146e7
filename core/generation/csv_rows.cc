#include "core/generation/csv_rows.h"

#include <cstdint>

#include <fmt/format.h>

namespace gp::generation {
namespace {

std::optional<std::int64_t> known(std::int64_t tokens) {
  return tokens < 0 ? std::nullopt : std::optional(tokens);
}

CsvRow row_of(std::string stage, std::string model, std::string summary) {
  CsvRow row;
  row.stage = std::move(stage);
  row.model = std::move(model);
  row.decision_summary = std::move(summary);
  return row;
}

void put_usage(CsvRow& row, const project::Usage& usage, std::optional<double> cost_usd) {
  row.prompt_tokens = known(usage.prompt_tokens);
  row.completion_tokens = known(usage.completion_tokens);
  row.cost_usd = cost_usd;
}

}  // namespace

CsvRow run_started_row(int attempt, const std::string& model, std::size_t sections_kept) {
  return row_of("run_started", model, fmt::format("attempt {}, {} sections kept", attempt, sections_kept));
}

CsvRow interrupted_call_row(const std::string& model, const std::string& input_path) {
  CsvRow row = row_of("llm_call", model, "interrupted: its worker ended before the call did");
  row.input_path = input_path;
  row.warning = "usage_missing";
  return row;
}

CsvRow llm_call_row(const Answer& answer, const std::string& model, const std::string& temperature,
                    std::optional<double> cost_usd) {
  CsvRow row = row_of("llm_call", model, std::string(name_of(answer.result.status)));
  if (!answer.result.detail.empty()) row.decision_summary += ": " + answer.result.detail;
  if (!answer.parse_problem.empty()) row.decision_summary += "; " + answer.parse_problem;
  row.temperature = temperature.empty() ? "default" : temperature;
  put_usage(row, answer.result.usage, cost_usd);
  if (!row.prompt_tokens) {
    row.warning = "usage_missing";
  } else if (!row.cost_usd) {
    row.warning = "price_unknown";
  }
  return row;
}

CsvRow part_row(std::string_view path, const std::vector<Fault>& faults, int redacted) {
  const std::string verdict = faults.empty() ? "accepted"
                                             : fmt::format("refused: {} faults, first: {} {}", faults.size(),
                                                           faults.front().field, faults.front().problem);
  CsvRow row = row_of(path == "plan" ? "plan" : "section", "", fmt::format("{} {}", path, verdict));
  if (redacted > 0) row.warning = fmt::format("personal data removed from {} texts", redacted);
  return row;
}

CsvRow validate_row(const Json& validator) {
  CsvRow row = row_of("validate", "", validator.at("ok").get<bool>() ? "ok" : "not ok");
  for (const Json& check : validator.at("checks")) {
    if (!check.at("ok").get<bool>())
      row.warning += (row.warning.empty() ? "" : " ") + check.at("id").get<std::string>();
  }
  return row;
}

CsvRow run_completed_row(const project::RunEnd& end, const std::string& model, std::size_t sections,
                         std::chrono::milliseconds took, int calls) {
  CsvRow row = row_of("run_completed", model,
                      fmt::format("{} sections in {} ms, {} LLM calls", sections, took.count(), calls));
  put_usage(row, end.usage, end.cost_usd);
  return row;
}

CsvRow error_row(const Failure& failure, const std::string& model) {
  return row_of("error", model, fmt::format("{} at {}: {}", failure.code, failure.stage, failure.message));
}

}  // namespace gp::generation
