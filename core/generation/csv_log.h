#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/json.h"

namespace gp::generation {

/// One row of a run's CSV log: what happened in one stage. Empty optionals become empty cells.
struct CsvRow {
  std::string stage;  ///< "run_started", "llm_call", "plan", "section", "validate", "run_completed", "error"
  std::string model;  ///< empty where no model took part
  std::string temperature;  ///< as sent; "default" where none was sent
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> completion_tokens;
  std::optional<double> cost_usd;
  std::string decision_summary;  ///< one sentence of ours
  std::string input_path;        ///< relative to the log folder, such as "<run_id>/prompt.json"
  std::string output_path;
  std::string warning;
};

/// The log of one run in CSV_LOG_DIR, in files and columns that are part of the contract: `<run_id>.csv`,
/// `<run_id>/prompt.json`, `<run_id>/output.json`. A second and third call write prompt-2.json and so on. RFC
/// 4180: CRLF, quotes where needed. Every cell is redacted, and defused where a spreadsheet would take it for
/// a formula (leading = + - @ tab or carriage return get a quote mark in front; plain numbers do not). Rows
/// and files are whole or not there at all (log_file.h). A log that cannot be written is reported once, with
/// the file and the reason, and never stops a generation. One thread.
class CsvLog {
 public:
  CsvLog(std::filesystem::path folder, RunId run_id);

  /// Appends a row with the time `at`; writes the header line where the file has no rows yet.
  void append(const CsvRow& row, WallTime at);

  /// Writes what a call was asked and what it answered, redacted, and returns the path for the row. `call`
  /// counts from 1 over the whole run. An empty path where the file cannot be written.
  std::string write_prompt(int call, const Json& messages);
  std::string write_output(int call, const Json& output);

  /// The prompts of calls up to `last_call` that no row names: their worker ended before it wrote one.
  std::vector<std::string> prompts_without_row(int last_call) const;

  /// The number after the last call of which this folder holds a prompt or an output.
  int first_free_call() const;

 private:
  std::filesystem::path path() const;
  std::string write_json(std::string_view stem, int call, Json content);
  void report_once(const std::string& message);

  std::filesystem::path folder_;
  RunId run_id_;
  bool has_failed_ = false;
};

/// One cell by the rules above, quoted where RFC 4180 asks for it.
std::string csv_cell(std::string_view text);

}  // namespace gp::generation
