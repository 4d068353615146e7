// Each check on a sound thing and on every kind of broken one: the line must say what is wrong and what to
// do.

#include <filesystem>
#include <fstream>
#include <string>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/spool/outbox.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/folder_state.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/nginx_limits.h"
#include "tests/support/shell.h"

using gp::Config;
using gp::ctl::Finding;
using gp::ctl::Findings;
using gp::ctl::UnitState;
using gp::llm::ModelFacts;
using gp::runlog::DatabaseFacts;
using std::chrono::milliseconds;
using Verdict = gp::ctl::Finding::Verdict;
namespace doctor = gp::ctl::doctor;
namespace fs = std::filesystem;

namespace {

/// "fail database.rights" for the finding about `check`; "none" where there is none. A finding that is not ok
/// must say what to do.
std::string verdict(const Findings& findings, const std::string& check) {
  for (const Finding& finding : findings) {
    if (finding.check != check) continue;
    BOOST_TEST((finding.verdict == Verdict::kOk) == finding.advice.empty(), finding.found + finding.advice);
    if (finding.verdict == Verdict::kOk) return "ok";
    return finding.verdict == Verdict::kWarn ? "warn" : "fail";
  }
  return "none";
}

std::string found(const Findings& findings, const std::string& check) {
  for (const Finding& finding : findings) {
    if (finding.check == check) return finding.found + " -> " + finding.advice;
  }
  return {};
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

DatabaseFacts sound_database() {
  DatabaseFacts facts;
  facts.server_version = 150020;
  facts.role = "generate-project";
  facts.encoding = "UTF8";
  facts.may_create = true;
  facts.schema = gp::runlog::Schema{gp::runlog::known_schema_version(), 1};
  facts.project_columns = {
      {"id", "text", true}, {"spec_json", "jsonb", false}, {"updated_at", "timestamp with time zone", false}};
  return facts;
}

gp::Environment only(std::map<std::string, std::string> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto value = values.find(std::string(name));
    return value == values.end() ? std::nullopt : std::optional(value->second);
  };
}

struct Folder : support::TempFolder {
  Config config() const {
    Config config;
    config.spool_path = path() + "/spool/spool.db";
    config.spool_max_bytes = 1 << 24;
    config.csv_log_dir = path() + "/logs";
    config.sse_max_streams = 100;
    config.events_processes = 1;
    return config;
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path() + "/" + name).parent_path());
    std::ofstream(path() + "/" + name) << text;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(doctor_checks)

// Settings
// ---------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_wrong_setting_has_its_line_and_no_secret_is_shown) {
  std::optional<Config> config;
  const auto findings = doctor::check_settings(
      only({{"PORT", "99999"}, {"DATABASE_URL", "postgresql:///x?password=hunter2"}}), config);
  BOOST_TEST(!config.has_value());
  BOOST_TEST(verdict(findings, "settings.PORT") == "fail");
  BOOST_TEST(!holds(gp::ctl::as_text(findings), "hunter2"));
  const auto without_database = doctor::check_settings(only({}), config);
  BOOST_TEST(holds(found(without_database, "settings.DATABASE_URL"),
                   "/etc/generate-project/credentials/DATABASE_URL"));
}

BOOST_AUTO_TEST_CASE(a_name_that_nothing_reads_is_named_and_one_that_a_library_reads_is_not) {
  const auto findings = doctor::check_settings_file(
      gp::parse_settings_file("SSE_KEEPALIVE=\nPORT=\nPGSSLMODE=\nhttps_proxy=\nTZ=\nDATABASE_URL_FILE=\n"
                              "MODEL=\nPORT_FILES=\n#HIDDEN=\n",
                              "f"));
  BOOST_TEST(verdict(findings, "settings.names") == "warn");
  BOOST_TEST(holds(found(findings, "settings.names"), "nothing reads MODEL, PORT_FILES, SSE_KEEPALIVE ->"));
  BOOST_TEST(doctor::check_settings_file(gp::parse_settings_file("PORT=1\n", "f")).empty());
}

BOOST_AUTO_TEST_CASE(each_wrong_line_of_the_settings_file_is_a_failure) {
  const auto findings =
      doctor::check_settings_file(gp::parse_settings_file("PORT=1\nexport TZ=UTC\nno equals\n", "f"));
  BOOST_TEST(findings.size() == 2);
  BOOST_TEST(holds(found(findings, "settings.file"), "f, line 2 is not NAME=value"));
  BOOST_TEST(verdict(findings, "settings.file") == "fail");
}

BOOST_FIXTURE_TEST_CASE(the_file_of_a_secret_that_the_service_may_not_read_is_found, Folder) {
  write("url", "postgresql:///x\n");
  const auto verdict_on = [&](const std::string& file) {
    return verdict(doctor::check_secret_files(gp::parse_settings_file("DATABASE_URL_FILE=" + file, "f")),
                   "settings.DATABASE_URL_FILE");
  };
  BOOST_TEST(verdict_on(path() + "/url") == "none");
  BOOST_TEST(verdict_on(path() + "/nowhere") == "fail");
  BOOST_TEST(verdict_on("") == "none");
  std::optional<Config> config;
  const auto unreadable = gp::settings_of(
      gp::parse_settings_file("DATABASE_URL=x\nOPENAI_API_KEY_FILE=/nowhere\nPORT=0", "f"), path());
  const auto findings = doctor::check_settings(unreadable, config);
  BOOST_TEST(verdict(findings, "settings.OPENAI_API_KEY_FILE") == "fail");
  BOOST_TEST(verdict(findings, "settings.PORT") == "fail");
  BOOST_TEST(doctor::check_key(unreadable, true).empty());  // it has been said
}

BOOST_FIXTURE_TEST_CASE(a_relative_path_is_another_place_for_each_who_reads_it, Folder) {
  auto wrong = config();
  BOOST_TEST(doctor::check_paths(wrong).empty());
  wrong.spool_path = "./spool/spool.db";
  wrong.prices_file = "prices.json";
  BOOST_TEST(verdict(doctor::check_paths(wrong), "settings.SPOOL_PATH") == "fail");
  BOOST_TEST(verdict(doctor::check_paths(wrong), "settings.PRICES_FILE") == "fail");
  BOOST_TEST(verdict(doctor::check_paths(wrong), "settings.CSV_LOG_DIR") == "none");
}

BOOST_AUTO_TEST_CASE(a_missing_key_is_a_failure_where_a_worker_is_to_run_and_hides_nothing_else) {
  std::optional<Config> config;
  BOOST_TEST(verdict(doctor::check_settings(only({{"DATABASE_URL", "x"}}), config), "settings") == "ok");
  BOOST_TEST(config.has_value());
  const Findings missing = doctor::check_key(only({}), true);
  BOOST_TEST(verdict(missing, "settings.OPENAI_API_KEY") == "fail");
  BOOST_TEST(
      holds(found(missing, "settings.OPENAI_API_KEY"), "/etc/generate-project/credentials/OPENAI_API_KEY"));
  const Findings unneeded = doctor::check_key(only({}), false);
  BOOST_TEST(verdict(unneeded, "settings.OPENAI_API_KEY") == "ok");
  const Findings given = doctor::check_key(only({{"OPENAI_API_KEY", "sk-hunter2"}}), true);
  BOOST_TEST(verdict(given, "settings.OPENAI_API_KEY") == "ok");
  BOOST_TEST(!holds(gp::ctl::as_text(given), "hunter2"));
}

BOOST_FIXTURE_TEST_CASE(a_price_table_that_cannot_be_read_is_found, Folder) {
  write("prices.json", "{ this is no JSON");
  std::optional<Config> config;
  const auto findings = doctor::check_settings(
      only({{"DATABASE_URL", "x"}, {"OPENAI_API_KEY", "k"}, {"PRICES_FILE", path() + "/prices.json"}}),
      config);
  BOOST_TEST(verdict(findings, "settings") == "ok");
  BOOST_REQUIRE(config.has_value());
  BOOST_TEST(verdict(doctor::check_files(*config), "settings.PRICES_FILE") == "fail");
  BOOST_TEST(verdict(doctor::check_files(*config), "settings.BLOCKLIST_FILE") == "ok");
}

BOOST_FIXTURE_TEST_CASE(a_blocklist_that_the_service_may_not_read_is_found, Folder) {
  write("blocklist.txt", "+word\n");
  fs::permissions(path() + "/blocklist.txt", fs::perms::none);
  auto config = this->config();
  config.blocklist_file = path() + "/blocklist.txt";
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_other = ::geteuid() != 0 || ::setuid(65534) == 0;  // root may read everything
    ::_exit(is_other && verdict(doctor::check_files(config), "settings.BLOCKLIST_FILE") == "fail" ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
}

// The database
// -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_sound_database_is_ok_in_every_line) {
  for (const Finding& finding : doctor::judge_database(sound_database()))
    BOOST_TEST((finding.verdict == Verdict::kOk), finding.check + ": " + finding.found);
}

BOOST_AUTO_TEST_CASE(an_old_server_and_a_standby_are_failures) {
  auto facts = sound_database();
  facts.server_version = 120001;
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.server") == "fail");
  facts = sound_database();
  facts.is_read_only = true;
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.server"), "default_transaction_read_only"));
  facts.is_standby = true;
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.server"), "target_session_attrs"));
}

BOOST_AUTO_TEST_CASE(a_schema_that_is_older_asks_for_migrate_and_one_that_is_newer_for_the_newer_version) {
  auto facts = sound_database();
  facts.schema = gp::runlog::Schema{0, 1};
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.schema") == "fail");
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.schema"), "generate-project migrate"));
  facts.may_create = false;
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.schema"), "may create tables"));
  facts.schema = gp::runlog::Schema{1000, 1000};
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.schema"), "install the newer version"));
  facts.schema = gp::runlog::Schema{1000, 1};
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.schema") == "ok");
}

BOOST_AUTO_TEST_CASE(missing_rights_are_named) {
  auto facts = sound_database();
  facts.missing_rights = {"INSERT on generation_runs"};
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.rights") == "fail");
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.rights"), "INSERT on generation_runs"));
}

BOOST_AUTO_TEST_CASE(a_schema_that_may_not_be_read_is_a_failure_beside_the_right_that_is_missing) {
  auto facts = sound_database();
  facts.schema.reset();
  facts.missing_rights = {"SELECT on generation_schema"};
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.schema") == "fail");
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.rights"), "SELECT on generation_schema"));
}

BOOST_AUTO_TEST_CASE(a_database_that_cannot_hold_every_language_is_a_failure) {
  for (const char* encoding : {"LATIN1", "SQL_ASCII"}) {
    auto facts = sound_database();
    facts.encoding = encoding;
    BOOST_TEST(verdict(doctor::judge_database(facts), "database.encoding") == "fail");
    BOOST_TEST(holds(found(doctor::judge_database(facts), "database.encoding"), encoding));
  }
}

BOOST_AUTO_TEST_CASE(a_column_of_ours_whose_type_takes_nothing_of_ours_is_a_failure_that_names_it) {
  const auto with = [](std::size_t column, const char* type) {
    auto facts = sound_database();
    facts.project_columns.at(column).type = type;
    return doctor::judge_database(facts);
  };
  BOOST_TEST(holds(found(with(1, "bytea"), "database.projects"), "spec_json is of type bytea"));
  BOOST_TEST(holds(found(with(2, "bigint"), "database.projects"), "updated_at is of type bigint"));
  BOOST_TEST(verdict(with(2, "bigint"), "database.projects") == "fail");
  BOOST_TEST(verdict(with(1, "text"), "database.projects") == "ok");
  BOOST_TEST(verdict(with(2, "timestamp without time zone"), "database.projects") == "ok");
}

BOOST_AUTO_TEST_CASE(a_role_that_may_not_insert_projects_is_a_warning) {
  auto facts = sound_database();
  facts.project_columns.at(1).may_insert = false;
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.projects") == "warn");
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.projects"), "may not insert"));
}

BOOST_AUTO_TEST_CASE(a_projects_table_that_does_not_suit_is_a_failure_or_a_warning_by_what_it_costs) {
  auto facts = sound_database();
  facts.project_columns.front().type = "integer[]";
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.projects") == "fail");
  facts = sound_database();
  facts.project_columns.pop_back();
  BOOST_TEST(holds(found(doctor::judge_database(facts), "database.projects"), "updated_at"));
  facts = sound_database();
  facts.project_columns.push_back({"owner_id", "bigint", true});
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.projects") == "warn");
  facts.project_columns.clear();
  BOOST_TEST(verdict(doctor::judge_database(facts), "database.projects") == "warn");
}

BOOST_AUTO_TEST_CASE(a_database_that_is_away_is_one_line_without_the_password) {
  Config config;
  config.database_url = gp::Secret("postgresql:///x?host=/nonexistent&password=hunter2");
  config.database_listen_url = config.database_url;
  std::optional<milliseconds> ahead;
  const auto findings = doctor::check_database(config, ahead);
  BOOST_TEST(findings.size() == 1u);
  BOOST_TEST(verdict(findings, "database.server") == "fail");
  BOOST_TEST(!holds(gp::ctl::as_text(findings), "hunter2"));
  BOOST_TEST(!ahead.has_value());
}

// The host
// ---------------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_spool_that_is_not_there_yet_is_fine_and_is_not_made, Folder) {
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.file") == "ok");
  BOOST_TEST(!fs::exists(path() + "/spool"));
}

BOOST_FIXTURE_TEST_CASE(a_sound_spool_is_ok, Folder) {
  { gp::spool::Outbox outbox(config().spool_path, 0, config().spool_max_bytes); }
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.file") == "ok");
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.set_aside") == "none");
}

BOOST_FIXTURE_TEST_CASE(a_log_of_the_spool_that_only_grows_is_a_warning, Folder) {
  { gp::spool::Outbox outbox(config().spool_path, 0, config().spool_max_bytes); }
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.log") == "none");
  write("spool/spool.db-wal", "");
  fs::resize_file(config().spool_path + "-wal", 100 << 20);
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.log") == "warn");
}

BOOST_FIXTURE_TEST_CASE(a_damaged_spool_is_a_failure_and_is_left_as_it_is, Folder) {
  write("spool/spool.db", std::string(8192, 'x'));
  const auto findings = doctor::check_spool(config());
  BOOST_TEST(verdict(findings, "spool.file") == "fail");
  BOOST_TEST(holds(found(findings, "spool.file"), "sets the file aside"));
  BOOST_TEST(support::read_file(path() + "/spool/spool.db") == std::string(8192, 'x'));
}

BOOST_FIXTURE_TEST_CASE(damaged_spool_files_that_were_set_aside_are_a_warning, Folder) {
  write("spool/spool.db.corrupt-2026-11-24T10:00:00.000Z", "x");
  BOOST_TEST(verdict(doctor::check_spool(config()), "spool.set_aside") == "warn");
}

BOOST_AUTO_TEST_CASE(the_command_line_has_the_defaults_of_the_units) {
  const std::string unit =
      support::read_file(std::string(GP_SOURCE_DIR) + "/systemd/generate-project-.service.d/10-sandbox.conf");
  std::size_t defaults = 0;
  for (const gp::Setting& setting : gp::settings()) {
    const auto value = gp::ctl::unit_default(setting.name);
    if (value) BOOST_TEST(holds(unit, fmt::format("GP_DEFAULT_{}={}", setting.name, *value)));
    if (value) ++defaults;
  }
  std::size_t of_units = 0;
  for (auto at = unit.find("GP_DEFAULT_"); at != std::string::npos; at = unit.find("GP_DEFAULT_", at + 1))
    ++of_units;
  BOOST_TEST(of_units == defaults);
}

// The service
// -----------------------------------------------------------------------------------------------------------

struct Host {
  std::vector<UnitState> units = {
      {"generate-project.target", "enabled", "active", "active", "success", ""},
      {"generate-project-worker.service", "enabled", "active", "running", "success", "0"},
      {"generate-project-start.socket", "enabled", "active", "running", "success", ""},
      {"generate-project-start.service", "enabled", "active", "running", "success", "0"}};
  std::string verdict_on(const std::string& part) const {
    return verdict(doctor::judge_services(units), "services" + part);
  }
};

BOOST_FIXTURE_TEST_CASE(services_that_run_or_wait_for_a_request_are_ok, Host) {
  BOOST_TEST(verdict_on("") == "ok");
  units[3].active = "inactive";
  BOOST_TEST(verdict_on("") == "ok");
  units[1] = {"generate-project-worker.service", "disabled", "inactive", "dead", "success", "0"};
  BOOST_TEST(verdict_on("") == "ok");
  units[1].file = "masked";
  BOOST_TEST(verdict_on("") == "ok");
}

BOOST_FIXTURE_TEST_CASE(a_service_that_is_stopped_or_has_failed_is_a_failure_and_says_how, Host) {
  units[1].active = "inactive";
  BOOST_TEST(verdict_on(".worker") == "fail");
  units[1] = {"generate-project-worker.service", "enabled", "failed", "failed", "exit-code", "78"};
  BOOST_TEST(holds(found(doctor::judge_services(units), "services.worker"),
                   "is failed: exit-code, its last exit status is 78"));
  units[1].active = "activating";
  BOOST_TEST(verdict_on(".worker") == "warn");
  units[1].sub = "auto-restart";
  BOOST_TEST(verdict_on(".worker") == "fail");
  BOOST_TEST(verdict_on(".start") == "none");
  units[2].active = "inactive";  // its service still runs, and nobody reaches it
  BOOST_TEST(verdict_on(".start.socket") == "fail");
  units[3].active = "inactive";
  BOOST_TEST(verdict_on(".start") == "fail");
}

BOOST_FIXTURE_TEST_CASE(a_service_that_has_not_been_started_yet_is_one_warning, Host) {
  for (UnitState& unit : units) unit.active = "inactive";
  BOOST_TEST(doctor::judge_services(units).size() == 1);
  BOOST_TEST(verdict_on(".target") == "warn");
}

BOOST_AUTO_TEST_CASE(units_are_read_as_systemctl_shows_them) {
  const auto units = gp::ctl::parse_units(
      "Id=generate-project.target\nActiveState=active\nSubState=active\nUnitFileState=enabled\n\n"
      "ExecMainStatus=78\nResult=exit-code\nId=generate-project-worker.service\nActiveState=failed\n"
      "SubState=failed\nUnitFileState=enabled\nDescription=a=b\n");
  BOOST_REQUIRE(units.size() == 2);
  BOOST_TEST(units[0].status == "");
  BOOST_TEST(units[1].name == "generate-project-worker.service");
  BOOST_TEST(units[1].active == "failed");
  BOOST_TEST(units[1].result == "exit-code");
  BOOST_TEST(units[1].status == "78");
  BOOST_TEST(gp::ctl::is_enabled(units[1]));
}

BOOST_FIXTURE_TEST_CASE(folders_that_systemd_will_make_are_fine, Folder) {
  if (fs::exists("/var/lib/generate-project") || fs::exists("/var/log/generate-project"))
    return;  // installed here
  auto installed = config();
  installed.csv_log_dir = "/var/log/generate-project";
  installed.spool_path = "/var/lib/generate-project/spool.db";
  BOOST_TEST(verdict(doctor::check_log_folder(installed), "log_folder") == "ok");
  BOOST_TEST(verdict(doctor::check_spool(installed), "spool.folder") == "ok");
}

BOOST_FIXTURE_TEST_CASE(folders_that_the_sandbox_closes_are_a_warning_until_each_service_may_write_there,
                        Folder) {
  const auto nothing = [](const std::string&) { return std::string(); };
  auto installed = config();
  installed.csv_log_dir = "/var/log/generate-project/runs";
  installed.spool_path = "/var/lib/generate-project/spool.db";
  BOOST_TEST(verdict(doctor::check_sandbox(installed, nothing), "sandbox.SPOOL_PATH") == "ok");
  BOOST_TEST(verdict(doctor::check_sandbox(installed, nothing), "sandbox.CSV_LOG_DIR") == "ok");
  installed.spool_path = "/srv/spool/spool.db";
  const auto closed = doctor::check_sandbox(installed, nothing);
  BOOST_TEST(verdict(closed, "sandbox.SPOOL_PATH") == "warn");
  BOOST_TEST(holds(found(closed, "sandbox.SPOOL_PATH"), "ReadWritePaths=/srv/spool"));
  const auto opened = doctor::check_sandbox(installed, [](const std::string& unit) {
    return std::string(unit == "generate-project-prune" ? "/srv/spool2" : "/other -/srv/\n");
  });
  BOOST_TEST(verdict(opened, "sandbox.SPOOL_PATH") == "warn");
  BOOST_TEST(holds(found(opened, "sandbox.SPOOL_PATH"), "systemctl edit generate-project-prune,"));
}

BOOST_FIXTURE_TEST_CASE(files_that_the_sandbox_hides_from_a_service_are_a_warning, Folder) {
  const auto verdict_on = [&](const std::string& setting, const std::string& path) {
    auto installed = config();
    (setting == "PRICES_FILE" ? installed.prices_file : installed.blocklist_file) = path;
    return verdict(doctor::check_sandbox(installed, [](const std::string&) { return std::string(); }),
                   "sandbox." + setting);
  };
  for (const char* hidden : {"/home/huda/words", "/root/words", "/tmp/words", "/var/tmp/words"}) {
    BOOST_TEST(verdict_on("BLOCKLIST_FILE", hidden) == "warn");
    BOOST_TEST(verdict_on("PRICES_FILE", hidden) == "warn");
  }
  for (const char* closed_to_start : {"/var/lib/generate-project/words", "/var/log/generate-project/words"}) {
    BOOST_TEST(verdict_on("BLOCKLIST_FILE", closed_to_start) == "warn");
    BOOST_TEST(verdict_on("PRICES_FILE", closed_to_start) == "none");  // the worker alone reads it
  }
  BOOST_TEST(verdict_on("BLOCKLIST_FILE", "/etc/generate-project/words") == "none");
  BOOST_TEST(verdict_on("BLOCKLIST_FILE", "") == "none");
}

BOOST_FIXTURE_TEST_CASE(another_folder_for_sockets_than_that_of_the_units_is_a_failure, Folder) {
  const auto verdict_on = [&](const char* folder) {
    auto installed = config();
    installed.runtime_dir = folder;
    return verdict(doctor::check_sandbox(installed, [](const std::string&) { return std::string(); }),
                   "sandbox.RUNTIME_DIR");
  };
  BOOST_TEST(verdict_on("/run/generate-project/") == "none");
  BOOST_TEST(verdict_on("/srv/sockets") == "fail");
}

BOOST_AUTO_TEST_CASE(a_folder_is_within_itself_and_what_is_above_it_alone) {
  BOOST_TEST(gp::ctl::is_within("/srv/a/", "/srv/a"));
  BOOST_TEST(gp::ctl::is_within("/srv/a/b", "/srv/a/"));
  BOOST_TEST(!gp::ctl::is_within("/srv/ab", "/srv/a"));
  BOOST_TEST(!gp::ctl::is_within("/srv/a/../b", "/srv/a"));
  BOOST_TEST(!gp::ctl::is_within("/srv", "/srv/a"));
}

BOOST_FIXTURE_TEST_CASE(folders_that_cannot_be_written_are_failures, Folder) {
  auto wrong = config();
  write("file", "not a folder");
  wrong.csv_log_dir = path() + "/file/logs";
  wrong.spool_path = path() + "/file/spool.db";
  BOOST_TEST(verdict(doctor::check_log_folder(wrong), "log_folder") == "fail");
  BOOST_TEST(verdict(doctor::check_spool(wrong), "spool.folder") == "fail");
  BOOST_TEST(verdict(doctor::check_log_folder(config()), "log_folder") == "ok");
}

BOOST_FIXTURE_TEST_CASE(
    nginx_without_the_site_or_with_too_few_connections_is_a_warning_that_names_the_numbers, Folder) {
  write("nginx/nginx.conf",
        "worker_processes 2; # worker_connections 9;\nworker_rlimit_nofile 30000;\nevents { "
        "worker_connections 768; }\n");
  auto wanted = config();
  auto findings = doctor::check_nginx(wanted, path() + "/nginx", std::nullopt);
  BOOST_TEST(verdict(findings, "nginx.site") == "warn");
  BOOST_TEST(verdict(findings, "nginx.limits") == "ok");
  wanted.sse_max_streams = 12000;
  findings = doctor::check_nginx(wanted, path() + "/nginx", std::nullopt);
  BOOST_TEST(verdict(findings, "nginx.limits") == "warn");
  BOOST_TEST(holds(found(findings, "nginx.limits"), "worker_connections 16000"));
  write("nginx/sites-enabled/generate-project.conf", "");
  const auto verdict_on_site = [&](std::optional<bool> is_read) {
    return verdict(doctor::check_nginx(wanted, path() + "/nginx", is_read), "nginx.site");
  };
  BOOST_TEST(verdict_on_site(std::nullopt) == "ok");
  BOOST_TEST(verdict_on_site(true) == "ok");
  BOOST_TEST(verdict_on_site(false) == "fail");
  BOOST_TEST(verdict(doctor::check_nginx(wanted, path() + "/nowhere", std::nullopt), "nginx.site") == "warn");
}

BOOST_FIXTURE_TEST_CASE(an_nginx_with_one_worker_is_a_warning, Folder) {
  write("nginx/nginx.conf", "worker_processes 1; events { }\n");
  BOOST_TEST(verdict(doctor::check_nginx(config(), path() + "/nginx", true), "nginx.workers") == "warn");
  write("nginx/nginx.conf", "worker_processes 2; events { }\n");
  BOOST_TEST(verdict(doctor::check_nginx(config(), path() + "/nginx", true), "nginx.workers") == "none");
}

BOOST_AUTO_TEST_CASE(the_limit_of_files_bounds_the_streams_that_nginx_has_room_for) {
  const auto limits = gp::ctl::parse_nginx_limits("worker_processes 4; events { worker_connections 8000; }");
  BOOST_TEST(limits.files == 0);
  BOOST_TEST(limits.streams() == 4 * 1024 * 3 / 8);
  BOOST_TEST(gp::ctl::parse_nginx_limits("worker_rlimit_nofile 9000;", limits).streams() == 4 * 8000 * 3 / 8);
}

// The provider
// -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(each_answer_of_the_provider_has_its_line) {
  const auto line = [](long status, const char* body, const std::string& check) {
    const auto facts = gp::llm::judge_model_answer(status, body);
    return verdict({doctor::judge_model("MODEL_PRIMARY", "m", facts, gp::wall_now())}, check);
  };
  BOOST_TEST(line(200, R"({"id":"m"})", "llm.MODEL_PRIMARY") == "ok");
  BOOST_TEST(line(401, R"({"error":{"code":"invalid_api_key"}})", "llm.OPENAI_API_KEY") == "fail");
  BOOST_TEST(line(403, "<html>", "llm.OPENAI_API_KEY") == "fail");
  BOOST_TEST(line(404, R"({"error":{"code":"model_not_found"}})", "llm.MODEL_PRIMARY") == "fail");
  BOOST_TEST(line(404, "no such page", "llm.MODEL_PRIMARY") == "warn");
  BOOST_TEST(line(503, "", "llm.OPENAI_BASE_URL") == "fail");
}

BOOST_AUTO_TEST_CASE(a_model_that_is_shut_down_soon_is_a_warning_and_one_that_has_been_is_a_failure) {
  using namespace std::chrono;
  const auto facts = gp::llm::judge_model_answer(200, R"({"id":"m","shutdown_date":"2026-12-11"})");
  const auto at = [&](year_month_day day) {
    return verdict({doctor::judge_model("MODEL_PRIMARY", "m", facts, sys_days(day))}, "llm.MODEL_PRIMARY");
  };
  BOOST_TEST(at(2026y / 1 / 1) == "ok");
  BOOST_TEST(at(2026y / 11 / 24) == "warn");
  BOOST_TEST(at(2026y / 12 / 11) == "fail");
  const auto by_number = gp::llm::judge_model_answer(200, R"({"id":"m","shutdown_date":1796947200})");
  BOOST_TEST((by_number.shutdown == sys_days(2026y / 12 / 11)));
}

BOOST_AUTO_TEST_CASE(a_provider_that_cannot_be_reached_is_a_failure_without_the_key) {
  Config config;
  config.openai_base_url = "http://127.0.0.1:" + std::to_string(support::free_port()) + "/v1";
  config.openai_api_key = gp::Secret("sk-hunter2");
  config.model_primary = "m";
  config.llm_connect_timeout_s = std::chrono::seconds(2);
  std::optional<milliseconds> ahead;
  const auto findings = doctor::check_llm(config, ahead);
  BOOST_TEST(verdict(findings, "llm.OPENAI_BASE_URL") == "fail");
  BOOST_TEST(!holds(gp::ctl::as_text(findings), "hunter2"));
}

// The clock
// --------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_clock_that_is_off_is_said_to_be_so_by_how_much) {
  BOOST_TEST(verdict(doctor::check_clock(milliseconds(100), std::nullopt), "clock.database") == "ok");
  BOOST_TEST(verdict(doctor::check_clock(milliseconds(-5000), std::nullopt), "clock.database") == "warn");
  BOOST_TEST(holds(found(doctor::check_clock(milliseconds(-5000), {}), "clock.database"), "5.0 s ahead of"));
  BOOST_TEST(verdict(doctor::check_clock({}, milliseconds(120'000)), "clock.provider") == "fail");
  BOOST_TEST(verdict(doctor::check_clock({}, {}), "clock") == "warn");
}

// The report
// --------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_report_is_the_same_as_text_and_as_json) {
  const Findings findings = {gp::ctl::ok("a", "fine"), gp::ctl::warn("b", "odd", "look"),
                             gp::ctl::fail("c", "bad", "act")};
  const std::string text = gp::ctl::as_text(findings);
  BOOST_TEST(holds(text, "ok    a"));
  BOOST_TEST(holds(text, "fail  c"));
  BOOST_TEST(holds(text, "-> act"));
  BOOST_TEST(holds(text, "1 ok, 1 warnings, 1 failures"));
  const gp::Json json = gp::ctl::as_json(findings);
  BOOST_TEST(json.at("ok") == false);
  BOOST_TEST(json.at("findings").size() == 3u);
  BOOST_TEST(json.at("findings")[1].at("advice") == "look");
  BOOST_TEST(gp::ctl::as_json({gp::ctl::warn("b", "odd", "look")}).at("ok") == true);
}

BOOST_AUTO_TEST_SUITE_END()
