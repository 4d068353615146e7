#include "core/base/settings_file.h"

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/shell.h"

namespace {

std::string faulty_lines(const std::string& text) {
  try {
    gp::parse_settings_file(text, "f");
    return {};
  } catch (const gp::ConfigError& error) {
    std::string lines;
    for (const gp::Fault& fault : error.faults()) lines += fault.field + ";";
    return lines;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(settings_file)

BOOST_AUTO_TEST_CASE(lines_comments_and_quotes_are_read_as_systemd_reads_them) {
  const auto values = gp::parse_settings_file(
      "# a comment\n; another\n\nPORT=8081\n  MODEL_PRIMARY = gpt-x  \nLOG_LEVEL='debug'\n"
      "LLM_EXTRA_JSON=\"{'a': 1}\"\nCSV_BASE_URL=\n",
      "f");
  BOOST_TEST(values.at("PORT") == "8081");
  BOOST_TEST(values.at("LOG_LEVEL") == "debug");
  BOOST_TEST(values.at("LLM_EXTRA_JSON") == "{'a': 1}");
  BOOST_TEST(values.at("CSV_BASE_URL").empty());
}

BOOST_AUTO_TEST_CASE(wrong_lines_are_named_by_their_number_and_never_shown) {
  BOOST_TEST(faulty_lines("PORT=1\nno equals\nA=\"open\n1X=2\nB=a\\nb\n") ==
             "f, line 2;f, line 3;f, line 4;f, line 5;");
  try {
    gp::parse_settings_file("OPENAI_API_KEY=\"sk-hunter2\n", "f");
    BOOST_FAIL("it was taken");
  } catch (const gp::ConfigError& error) {
    BOOST_TEST(std::string(error.what()).find("hunter2") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_sample_that_is_installed_can_be_read_with_every_line_in_force) {
  std::string sample = gp::settings_sample();
  for (auto at = sample.find("\n#"); at != std::string::npos; at = sample.find("\n#", at + 1)) {
    if (sample.at(at + 2) != ' ') sample.erase(at + 1, 1);
  }
  BOOST_TEST(gp::parse_settings_file(sample, "f").size() == gp::settings().size());
}

BOOST_FIXTURE_TEST_CASE(a_wrong_line_of_an_installed_service_is_told_with_the_path_of_its_file,
                        support::TempFolder) {
  const std::string file = path() + "/generate-project.conf";
  std::ofstream(file) << "PORT=1\nno equals\n";
  BOOST_CHECK_EXCEPTION(gp::settings_in(path()), gp::ConfigError, [&](const gp::ConfigError& error) {
    return std::string(error.what()).find(file + ", line 2: is not NAME=value") != std::string::npos;
  });
}

BOOST_FIXTURE_TEST_CASE(the_names_of_a_file_are_all_that_stand_in_it, support::TempFolder) {
  std::ofstream(path() + "/generate-project.conf") << "PORT=1\n#HIDDEN=1\nSSE_KEEPALIVE=\n";
  const std::vector<std::string> names = {"PORT", "SSE_KEEPALIVE"};
  BOOST_TEST(gp::names_in(path()) == names, boost::test_tools::per_element());
  BOOST_TEST(gp::names_in(path() + "/nowhere").empty());
}

BOOST_FIXTURE_TEST_CASE(the_file_goes_before_a_credential_and_the_environment_before_both,
                        support::TempFolder) {
  std::filesystem::create_directories(path() + "/credentials");
  std::ofstream(path() + "/generate-project.conf")
      << "OPENAI_API_KEY=from-file\nDATABASE_URL=\nPORT=1\nMODEL_PRIMARY=m\n";
  std::ofstream(path() + "/credentials/OPENAI_API_KEY") << "from-credential\n";
  std::ofstream(path() + "/credentials/DATABASE_URL") << "from-credential\n";
  std::ofstream(path() + "/credentials/MODEL_FALLBACK") << "2\n";
  const auto host = gp::settings_in(path());
  BOOST_TEST(host("OPENAI_API_KEY").value() == "from-file");
  BOOST_TEST(host("DATABASE_URL").value() == "from-credential");  // an empty line counts as none
  BOOST_TEST(!host("DATABASE_LISTEN_URL").has_value());
  BOOST_TEST(!host("MODEL_FALLBACK").has_value());  // only secrets are credentials
  const auto both = gp::layered(
      [](std::string_view name) -> std::optional<std::string> {
        return name == "PORT" ? std::optional<std::string>("3") : std::nullopt;
      },
      host);
  BOOST_TEST(both("PORT").value() == "3");
  BOOST_TEST(both("MODEL_PRIMARY").value() == "m");
  BOOST_TEST(!gp::settings_in(path() + "/nowhere")("PORT").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
