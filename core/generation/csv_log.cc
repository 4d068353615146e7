#include "core/generation/csv_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/base/report.h"
#include "core/generation/log_file.h"
#include "core/project/redaction.h"

namespace gp::generation {
namespace {

constexpr std::string_view kHeader =
    "timestamp,run_id,stage,model,temperature,prompt_tokens,completion_tokens,cost_est,"
    "decision_summary,input_path,output_path,warning\r\n";

template <class Number>
std::string text_of(const std::optional<Number>& number) {
  return number ? fmt::format("{}", *number) : std::string();
}

std::string file_name(std::string_view stem, int call) {
  return call == 1 ? fmt::format("{}.json", stem) : fmt::format("{}-{}.json", stem, call);
}

bool is_number(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

/// Characters that make a spreadsheet run a cell as a formula (OWASP, "CSV Injection").
bool looks_like_formula(std::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '-' && text.size() > 1 && is_number(text.substr(1))) return false;
  return std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
}

/// The call that a file `name` belongs to; 0 where it is no prompt and no output.
int call_of(std::string_view name) {
  for (const std::string_view stem : {"prompt", "output"}) {
    if (!name.starts_with(stem)) continue;
    const std::string_view rest = name.substr(stem.size());
    int call = 1;
    if (rest.starts_with('-')) std::from_chars(rest.data() + 1, rest.data() + rest.size(), call);
    if (name == file_name(stem, call)) return call;
  }
  return 0;
}

}  // namespace

std::string csv_cell(std::string_view text) {
  std::string cell = project::redact(text);
  if (looks_like_formula(cell)) cell.insert(cell.begin(), '\'');
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

CsvLog::CsvLog(std::filesystem::path folder, RunId run_id)
    : folder_(std::move(folder)), run_id_(std::move(run_id)) {}

void CsvLog::append(const CsvRow& row, WallTime at) {
  const std::array cells = {format_rfc3339(at),
                            run_id_.str(),
                            row.stage,
                            row.model,
                            row.temperature,
                            text_of(row.prompt_tokens),
                            text_of(row.completion_tokens),
                            row.cost_usd ? fmt::format("{:.6f}", *row.cost_usd) : std::string(),
                            row.decision_summary,
                            row.input_path,
                            row.output_path,
                            row.warning};
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  line += "\r\n";
  try {
    append_record(path(), kHeader, line);
  } catch (const std::exception& error) {
    report_once(error.what());
  }
}

std::string CsvLog::write_prompt(int call, const Json& messages) {
  return write_json("prompt", call, messages);
}

std::string CsvLog::write_output(int call, const Json& output) { return write_json("output", call, output); }

std::vector<std::string> CsvLog::prompts_without_row(int last_call) const {
  std::ifstream file(path(), std::ios::binary);
  std::string rows{std::istreambuf_iterator<char>(file), {}};
  rows.resize(size_of_records(rows));
  std::vector<std::string> prompts;
  for (int call = 1; call <= last_call; ++call) {
    std::string prompt = run_id_.str() + "/" + file_name("prompt", call);
    std::error_code ignored;
    if (std::filesystem::exists(folder_ / prompt, ignored) && rows.find(prompt) == std::string::npos)
      prompts.push_back(std::move(prompt));
  }
  return prompts;
}

int CsvLog::first_free_call() const {
  using std::filesystem::directory_iterator;
  int last_call = 0;
  std::error_code ignored;
  for (directory_iterator at(folder_ / run_id_.str(), ignored); at != directory_iterator();
       at.increment(ignored))
    last_call = std::max(last_call, call_of(at->path().filename().string()));
  return last_call + 1;
}

std::filesystem::path CsvLog::path() const { return folder_ / (run_id_.str() + ".csv"); }

std::string CsvLog::write_json(std::string_view stem, int call, Json content) {
  const std::string name = run_id_.str() + "/" + file_name(stem, call);
  try {
    project::redact_strings(content);
    replace_file(folder_ / name, content.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const std::exception& error) {
    report_once(error.what());
    return {};
  }
  return name;
}

void CsvLog::report_once(const std::string& message) {
  if (!std::exchange(has_failed_, true)) report::report(report::CsvLogFailed{run_id_.str(), message});
}

}  // namespace gp::generation
