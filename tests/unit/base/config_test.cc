#include "core/base/config.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using gp::Config;
using gp::ConfigError;
using gp::load_config;

namespace {

gp::Environment environment_of(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

std::vector<gp::Fault> faults_of(std::map<std::string, std::string, std::less<>> values,
                                 std::vector<std::string_view> required = {}) {
  try {
    load_config(environment_of(std::move(values)), required);
  } catch (const ConfigError& error) {
    return error.faults();
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(an_empty_environment_gives_every_default) {
  const Config config = load_config(environment_of({}), {});
  BOOST_TEST(config.port == 8080);
  BOOST_TEST(config.model_primary == "gpt-5-mini");
  BOOST_TEST(config.csv_log_dir == "./logs");
  BOOST_TEST(config.sse_keepalive_s.count() == 15);
  BOOST_TEST(config.cors_allowed_origins == "*");
}

BOOST_AUTO_TEST_CASE(a_wrong_value_is_named_with_its_value_and_what_is_allowed) {
  const auto faults = faults_of({{"PORT", "70000"}});
  BOOST_REQUIRE(faults.size() == 1);
  BOOST_TEST(faults[0].field == "PORT");
  BOOST_TEST(faults[0].problem == "'70000' is not allowed; allowed: 1-65535");
}

BOOST_AUTO_TEST_CASE(every_fault_is_told_at_once) {
  const auto faults =
      faults_of({{"PORT", "x"}, {"LEASE_S", "0"}, {"LLM_RESPONSE_FORMAT", "xml"}}, {"DATABASE_URL"});
  std::vector<std::string> names;
  for (const auto& fault : faults) names.push_back(fault.field);
  for (const char* name : {"PORT", "LEASE_S", "LLM_RESPONSE_FORMAT", "DATABASE_URL"}) {
    BOOST_TEST(std::ranges::count(names, name) == 1, name);
  }
}

BOOST_AUTO_TEST_CASE(numbers_with_trailing_text_or_spaces_are_refused) {
  for (const char* text : {"80a", " 80", "8e1", "+80", ""}) {
    const bool is_refused = !faults_of({{"PORT", text}}).empty();
    BOOST_TEST(is_refused == (*text != '\0'));  // an empty variable counts as not set
  }
}

BOOST_AUTO_TEST_CASE(an_error_never_repeats_a_secret) {
  try {
    load_config(
        environment_of(
            {{"OPENAI_API_KEY", "sk-very-secret"}, {"DATABASE_URL", "postgres://u:pw@h/d"}, {"PORT", "0"}}),
        {});
    BOOST_FAIL("PORT=0 was accepted");
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    BOOST_TEST(text.find("secret") == std::string::npos);
    BOOST_TEST(text.find("pw@") == std::string::npos);
  }
}

// A key of two lines would be a header of its own in each call.
BOOST_AUTO_TEST_CASE(a_secret_with_a_control_character_is_refused_by_name_and_not_shown) {
  for (const char* secret : {"sk-hunter2\nX-Evil: 1", "sk-hunter2\r", "sk-\thunter2", "sk-hunter2\x7f"}) {
    for (const char* name : {"OPENAI_API_KEY", "DATABASE_URL", "DATABASE_LISTEN_URL"}) {
      const auto faults = faults_of({{name, secret}});
      BOOST_REQUIRE(faults.size() == 1);
      BOOST_TEST(faults[0].field == name);
      BOOST_TEST(faults[0].problem.find("hunter2") == std::string::npos);
    }
  }
  BOOST_TEST(faults_of({{"OPENAI_API_KEY", "sk hünter2"}}).empty());
}

BOOST_AUTO_TEST_CASE(a_file_of_a_secret_that_cannot_be_read_is_told_with_every_other_fault) {
  const auto unreadable = [](std::string_view name) -> std::optional<std::string> {
    if (name == "OPENAI_API_KEY")
      throw ConfigError(std::vector<gp::Fault>{{"OPENAI_API_KEY_FILE", "cannot read '/nope'"}});
    return name == "PORT" ? std::optional<std::string>("x") : std::nullopt;
  };
  BOOST_CHECK_EXCEPTION(load_config(unreadable, {}), ConfigError, [](const ConfigError& error) {
    return error.faults().size() == 2 && error.faults().front().field == "OPENAI_API_KEY_FILE";
  });
}

BOOST_AUTO_TEST_CASE(a_default_of_the_units_holds_where_the_setting_is_empty) {
  const auto spool_path = [] { return load_config(gp::process_environment(), {}).spool_path; };
  ::setenv("GP_DEFAULT_SPOOL_PATH", "/var/lib/generate-project/spool.db", 1);
  ::setenv("SPOOL_PATH", "", 1);
  BOOST_TEST(spool_path() == "/var/lib/generate-project/spool.db");
  ::setenv("SPOOL_PATH", "/srv/spool.db", 1);
  BOOST_TEST(spool_path() == "/srv/spool.db");
  ::unsetenv("GP_DEFAULT_SPOOL_PATH");
  ::unsetenv("SPOOL_PATH");
}

BOOST_AUTO_TEST_CASE(the_listen_url_defaults_to_the_database_url) {
  const Config config = load_config(environment_of({{"DATABASE_URL", "host=a"}}), {});
  BOOST_TEST(config.database_listen_url.reveal() == "host=a");
}

BOOST_AUTO_TEST_CASE(a_beat_longer_than_half_a_lease_is_refused) {
  const auto faults = faults_of({{"LEASE_S", "10"}, {"LEASE_BEAT_S", "6"}});
  BOOST_REQUIRE(faults.size() == 1);
  BOOST_TEST(faults[0].field == "LEASE_BEAT_S");
}

BOOST_AUTO_TEST_CASE(extra_json_that_is_not_an_object_is_refused_by_name) {
  for (const char* text : {"{'a': 1}", "[1]", "3", "{\"a\": 1} x", "{\"a\": 1, \"a\": 2}", "  "}) {
    const auto faults = faults_of({{"LLM_EXTRA_JSON", text}});
    BOOST_REQUIRE_MESSAGE(faults.size() == 1, text);
    BOOST_TEST(faults[0].field == "LLM_EXTRA_JSON");
    BOOST_TEST(faults[0].problem.ends_with("is not allowed; allowed: a JSON object, or empty"));
  }
  for (const char* text : {"", "{}", " {\"store\": false} "})
    BOOST_TEST(faults_of({{"LLM_EXTRA_JSON", text}}).empty(), text);
}

BOOST_AUTO_TEST_CASE(an_origin_that_no_browser_sends_is_refused) {
  for (const char* text : {"https://a.example/", "https://a.example/app", "a.example", "https://",
                           "://a.example", "https://a:", "https://a:0", "https://a:70000", "https://a:x",
                           "https://*.a.example", "https://u@a.example", "https://[::1", "https://[]",
                           "https://[::1]x", "https://a?b", "https://a\t", "https://a,b"}) {
    const auto faults = faults_of({{"CORS_ALLOWED_ORIGINS", text}});
    BOOST_REQUIRE_MESSAGE(faults.size() == 1, text);
    BOOST_TEST(faults[0].field == "CORS_ALLOWED_ORIGINS");
  }
  for (const char* text : {"", "*", "null", "https://a.example", "http://localhost:3000", "http://[::1]:8080",
                           " https://a.example , http://b ,", "*,https://a", "chrome-extension://abc", " , "})
    BOOST_TEST(faults_of({{"CORS_ALLOWED_ORIGINS", text}}).empty(), text);
}

BOOST_AUTO_TEST_CASE(a_url_without_scheme_or_host_is_refused) {
  for (const char* name : {"CSV_BASE_URL", "OPENAI_BASE_URL"}) {
    for (const char* text : {"logs.example", "/logs", "ftp://a.example", "http://", "https:///logs",
                             "http://:80", "http://a b"}) {
      const auto faults = faults_of({{name, text}});
      BOOST_REQUIRE_MESSAGE(faults.size() == 1, text);
      BOOST_TEST(faults[0].field == name);
    }
    for (const char* text :
         {"", "http://127.0.0.1:8081/v1", "https://logs.example", "https://a.example/logs/"})
      BOOST_TEST(faults_of({{name, text}}).empty(), text);
  }
}

BOOST_AUTO_TEST_CASE(help_and_sample_show_every_setting) {
  for (const gp::Setting& setting : gp::settings()) {
    BOOST_TEST(gp::settings_help().find(setting.name) != std::string::npos);
    BOOST_TEST(gp::settings_sample().find("#" + std::string(setting.name) + "=") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
