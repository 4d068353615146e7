// doctor [--json] [--skip PART ...] [--nginx-dir DIR]   looks at everything the service needs and says of
// each thing how it is and what to do. Changes nothing. Exit code 1 where something has failed.

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/base/settings_file.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/nginx_site.h"
#include "handlers/ctl/program.h"

namespace gp::ctl {
namespace {

std::string opened_folders(const std::string& unit) {
  const auto outcome =
      run_program({"systemctl", "show", "--value", "--property=ReadWritePaths", unit + ".service"});
  return outcome.is_good() ? outcome.output : "";
}

class Examination {
 public:
  explicit Examination(const doctor::Scope& scope) : scope_(scope) {}

  Findings run() {
    const SettingsFile file = read_settings_file(etc_dir());
    const Environment environment = layered(process_environment(), service_environment(file));
    if (are_settings_closed() && !is_given(environment, "DATABASE_URL")) return {closed()};
    std::optional<Config> config;
    add(doctor::check_settings(environment, config));
    add(doctor::check_settings_file(file));
    add(doctor::check_key(environment, has_worker()));
    const auto is_site_read = is_wanted("nginx") ? ctl::is_site_read(scope_.nginx_dir) : std::nullopt;
    become_service_user();
    add(doctor::check_secret_files(file));
    if (is_wanted("services") && is_run_by_systemd()) add(doctor::judge_services(read_units()));
    if (config) look_with(*config, is_site_read);  // nothing else can be looked at without them
    return std::move(findings_);
  }

 private:
  void look_with(const Config& config, std::optional<bool> is_site_read) {
    add(doctor::check_files(config));
    if (is_service_installed()) add(doctor::check_paths(config));
    if (is_run_by_systemd()) add(doctor::check_sandbox(config, opened_folders));
    std::optional<std::chrono::milliseconds> database_ahead;
    std::optional<std::chrono::milliseconds> provider_ahead;
    if (is_wanted("database")) add(doctor::check_database(config, database_ahead));
    if (is_wanted("spool")) add(doctor::check_spool(config));
    if (is_wanted("log_folder")) add(doctor::check_log_folder(config));
    if (is_wanted("nginx")) add(doctor::check_nginx(config, scope_.nginx_dir, is_site_read));
    if (is_wanted("llm") && !config.openai_api_key.empty()) add(doctor::check_llm(config, provider_ahead));
    if (is_wanted("clock")) add(doctor::check_clock(database_ahead, provider_ahead));
  }

  /// Also by a file that cannot be read, which check_settings tells.
  static bool is_given(const Environment& environment, const char* secret) {
    try {
      return !environment(secret).value_or("").empty();
    } catch (const ConfigError&) {
      return true;
    }
  }
  /// With what may be read by everybody it would find faults that are none.
  static Finding closed() {
    return fail("settings", etc_dir() + " is open to root only: the settings cannot be read",
                "run this as root");
  }
  bool is_wanted(const char* part) const { return std::ranges::find(scope_.skip, part) == scope_.skip.end(); }
  void add(Findings more) {
    findings_.insert(findings_.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
  }

  const doctor::Scope& scope_;
  Findings findings_;
};

struct Options {
  bool json = false;
  doctor::Scope scope;
};

ExitCode report(const Options& options) {
  const Findings findings = doctor::examine(options.scope);
  fmt::print("{}", options.json ? dump_json(as_json(findings)) + "\n" : as_text(findings));
  return has_failed(findings) ? ExitCode::kFailure : ExitCode::kOk;
}

}  // namespace

std::vector<std::string> doctor::parts() {
  return {"services", "database", "spool", "log_folder", "nginx", "llm", "clock"};
}

Findings doctor::examine(const Scope& scope) { return Examination(scope).run(); }

void add_doctor(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("doctor", "Look at everything the service needs, and say what to do");
  sub->add_flag("--json", options->json, "One JSON object");
  sub->add_option("--skip", options->scope.skip, "Leave out a part; may be given several times")
      ->check(CLI::IsMember(doctor::parts()));
  sub->add_option("--nginx-dir", options->scope.nginx_dir, "Where nginx.conf is")->capture_default_str();
  sub->callback([=, &chosen] { chosen = [=] { return report(*options); }; });
}

}  // namespace gp::ctl
