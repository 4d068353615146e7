#include "core/generation/csv_log.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/ids.h"
#include "tests/support/shell.h"

using gp::Json;
using gp::RunId;
using gp::generation::csv_cell;
using gp::generation::CsvLog;
using gp::generation::CsvRow;
using support::TempFolder;

namespace {

std::string read(const TempFolder& folder, const std::string& name) {
  return support::read_file(folder.path() + "/" + name);
}

const RunId kRun("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");
constexpr std::string_view kHeader =
    "timestamp,run_id,stage,model,temperature,prompt_tokens,completion_tokens,cost_est,decision_summary,"
    "input_path,output_path,warning";

}  // namespace

BOOST_AUTO_TEST_SUITE(csv_log)

BOOST_AUTO_TEST_CASE(the_header_names_the_fields_once) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  CsvRow row;
  row.stage = "plan";
  log.append(row, gp::WallTime{});
  log.append(row, gp::WallTime{});
  const std::string text = read(folder, kRun.str() + ".csv");
  BOOST_TEST(
      text.starts_with(std::string(kHeader) + "\r\n1970-01-01T00:00:00.000Z," + kRun.str() + ",plan,"));
  BOOST_TEST(text.find(kHeader, 1) == std::string::npos);
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 3);
}

BOOST_AUTO_TEST_CASE(a_cell_with_a_comma_quote_or_line_break_is_quoted) {
  BOOST_TEST(csv_cell("plain") == "plain");
  BOOST_TEST(csv_cell("a,b") == "\"a,b\"");
  BOOST_TEST(csv_cell("say \"x\"") == "\"say \"\"x\"\"\"");
  BOOST_TEST(csv_cell("two\nlines") == "\"two\nlines\"");
}

BOOST_AUTO_TEST_CASE(a_cell_that_a_spreadsheet_would_run_is_defused) {
  BOOST_TEST(csv_cell("=1+1") == "'=1+1");
  BOOST_TEST(csv_cell("@SUM(A1)") == "'@SUM(A1)");
  BOOST_TEST(csv_cell("-cmd|' /C calc'!A0") == "'-cmd|' /C calc'!A0");
  BOOST_TEST(csv_cell("-12.5") == "-12.5");
}

BOOST_AUTO_TEST_CASE(personal_data_does_not_reach_the_file) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  CsvRow row;
  row.stage = "error";
  row.decision_summary = "wrote to huda@school.ae";
  log.append(row, gp::WallTime{});
  const std::string prompt = log.write_prompt(1, Json{{"text", "call +971 50 123 4567"}});
  BOOST_TEST(read(folder, kRun.str() + ".csv").find("huda@") == std::string::npos);
  BOOST_TEST(prompt == kRun.str() + "/prompt.json");
  BOOST_TEST(read(folder, prompt).find("4567") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(later_calls_get_files_of_their_own) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  BOOST_TEST(log.first_free_call() == 1);
  BOOST_TEST(log.write_output(1, Json::object()) == kRun.str() + "/output.json");
  BOOST_TEST(log.write_prompt(1, Json::object()) == kRun.str() + "/prompt.json");
  BOOST_TEST(log.write_prompt(2, Json::object()) == kRun.str() + "/prompt-2.json");
  BOOST_TEST(log.first_free_call() == 3);
}

BOOST_AUTO_TEST_CASE(a_prompt_that_no_row_names_belongs_to_a_call_that_was_interrupted) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  BOOST_TEST(log.prompts_without_row(0).empty());
  CsvRow row;
  row.stage = "llm_call";
  row.input_path = log.write_prompt(1, Json::object());
  log.append(row, gp::WallTime{});
  const std::string interrupted = log.write_prompt(2, Json::object());
  BOOST_TEST((log.prompts_without_row(2) == std::vector<std::string>{interrupted}));
  row.input_path = interrupted;
  log.append(row, gp::WallTime{});
  BOOST_TEST(log.prompts_without_row(2).empty());
}

BOOST_AUTO_TEST_CASE(a_call_without_a_prompt_keeps_its_number_and_is_not_interrupted) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  (void)log.write_output(1, Json::object());
  BOOST_TEST(log.first_free_call() == 2);
  (void)log.write_prompt(12, Json::object());
  (void)log.write_prompt(3, Json::object());
  BOOST_TEST(log.first_free_call() == 13);
  BOOST_TEST((log.prompts_without_row(12) ==
              std::vector{kRun.str() + "/prompt-3.json", kRun.str() + "/prompt-12.json"}));
}

BOOST_AUTO_TEST_CASE(a_prompt_is_not_named_by_a_row_that_was_cut_short) {
  const TempFolder folder;
  CsvLog log(folder.path(), kRun);
  CsvRow row;
  row.stage = "llm_call";
  row.input_path = log.write_prompt(1, Json::object());
  log.append(row, gp::WallTime{});
  const std::string path = folder.path() + "/" + kRun.str() + ".csv";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  BOOST_TEST((log.prompts_without_row(1) == std::vector{row.input_path}));
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_written_stops_nothing) {
  CsvLog log("/proc/no-such-place", kRun);
  log.append(CsvRow{}, gp::WallTime{});
  BOOST_TEST(log.write_prompt(1, Json::object()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
