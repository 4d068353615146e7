#include "core/base/settings_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/shell.h"

namespace {

std::string faulty_lines(const std::string& text) {
  std::string lines;
  for (const gp::Fault& fault : gp::parse_settings_file(text, "f").faults) lines += fault.field + ";";
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(settings_file)

BOOST_AUTO_TEST_CASE(lines_comments_and_quotes_are_read_as_systemd_reads_them) {
  const auto values =
      gp::parse_settings_file(
          "# a comment\n; another\n\nPORT=8081\n  MODEL_PRIMARY = gpt-x  \nLOG_LEVEL='debug'\n"
          "LLM_EXTRA_JSON=\"{'a': 1}\"\nCSV_BASE_URL=\n",
          "f")
          .values;
  BOOST_TEST(values.at("PORT") == "8081");
  BOOST_TEST(values.at("LOG_LEVEL") == "debug");
  BOOST_TEST(values.at("LLM_EXTRA_JSON") == "{'a': 1}");
  BOOST_TEST(values.at("CSV_BASE_URL").empty());
}

BOOST_AUTO_TEST_CASE(wrong_lines_are_named_by_their_number_and_never_shown) {
  BOOST_TEST(faulty_lines("PORT=1\nno equals\nA=\"open\n1X=2\nB=a\\nb\n") ==
             "f, line 2;f, line 3;f, line 4;f, line 5;");
  const auto file = gp::parse_settings_file("OPENAI_API_KEY=\"sk-hunter2\nPORT=1\n", "f");
  BOOST_REQUIRE(file.faults.size() == 1);
  BOOST_TEST(file.faults.front().problem.find("hunter2") == std::string::npos);
  BOOST_TEST(file.values.at("PORT") == "1");  // as systemd does, the rest is read
}

// systemd 252 takes it for the beginning of two lines.
BOOST_AUTO_TEST_CASE(a_comment_that_ends_in_a_backslash_is_a_fault) {
  BOOST_TEST(faulty_lines("# spool in C:\\\nPORT=1\n  ; \\\nPORT=2\n") == "f, line 1;f, line 3;");
  BOOST_TEST(faulty_lines("# C:\\spool\n# \\ \nPORT=1\n") == "");
}

BOOST_AUTO_TEST_CASE(the_sample_that_is_installed_can_be_read_with_every_line_in_force) {
  std::string sample = gp::settings_sample();
  for (auto at = sample.find("\n#"); at != std::string::npos; at = sample.find("\n#", at + 1)) {
    if (sample.at(at + 2) != ' ') sample.erase(at + 1, 1);
  }
  BOOST_TEST(gp::parse_settings_file(sample, "f").values.size() == gp::settings().size());
}

BOOST_FIXTURE_TEST_CASE(a_wrong_line_of_an_installed_service_is_told_with_the_path_of_its_file,
                        support::TempFolder) {
  const std::string file = path() + "/generate-project.conf";
  std::ofstream(file) << "PORT=1\nno equals\n";
  BOOST_CHECK_EXCEPTION(gp::settings_in(path()), gp::ConfigError, [&](const gp::ConfigError& error) {
    return std::string(error.what()).find(file + ", line 2: is not NAME=value") != std::string::npos;
  });
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

BOOST_FIXTURE_TEST_CASE(the_file_of_a_secret_goes_before_its_credential_and_after_its_value,
                        support::TempFolder) {
  std::filesystem::create_directories(path() + "/credentials");
  std::ofstream(path() + "/url") << "from-its-file\n";
  std::ofstream(path() + "/credentials/DATABASE_URL") << "from-credential\n";
  const auto database_url = [&](const std::string& line) {
    std::ofstream(path() + "/generate-project.conf") << line << "\nDATABASE_URL_FILE=" << path() << "/url\n";
    return gp::settings_in(path())("DATABASE_URL").value();
  };
  BOOST_TEST(database_url("DATABASE_URL=") == "from-its-file");
  BOOST_TEST(database_url("DATABASE_URL=from-line") == "from-line");
  std::filesystem::remove(path() + "/url");
  BOOST_TEST(database_url("DATABASE_URL=from-line") == "from-line");
  BOOST_CHECK_EXCEPTION(database_url(""), gp::ConfigError, [&](const gp::ConfigError& error) {
    return error.faults().front().field == "DATABASE_URL_FILE";
  });
}

BOOST_FIXTURE_TEST_CASE(the_services_take_a_secret_in_the_same_order_from_their_environment,
                        support::TempFolder) {
  std::ofstream(path() + "/url") << "from-its-file\n";
  std::ofstream(path() + "/DATABASE_URL") << "from-credential\n";
  const auto services = gp::process_environment();
  ::setenv("CREDENTIALS_DIRECTORY", path().c_str(), 1);
  BOOST_TEST(services("DATABASE_URL").value() == "from-credential");
  ::setenv("DATABASE_URL_FILE", (path() + "/url").c_str(), 1);
  BOOST_TEST(services("DATABASE_URL").value() == "from-its-file");
  ::setenv("DATABASE_URL", "from-line", 1);
  BOOST_TEST(services("DATABASE_URL").value() == "from-line");
  for (const char* name : {"CREDENTIALS_DIRECTORY", "DATABASE_URL_FILE", "DATABASE_URL"}) ::unsetenv(name);
}

BOOST_AUTO_TEST_SUITE_END()
