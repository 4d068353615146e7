#include "handlers/ctl/host.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "handlers/ctl/program.h"

namespace gp::ctl {
namespace {

std::string variable_or(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Environment with_unit_defaults(Environment settings) {
  return is_service_installed() ? layered(std::move(settings), unit_default) : settings;
}

void require_absolute_paths(const Config& config) {
  auto faults = relative_paths(config);
  if (!faults.empty()) throw ConfigError(std::move(faults));
}

[[noreturn]] void cannot_become() {
  throw Error(ErrorKind::kUnavailable,
              fmt::format("cannot become the user {}: {}", kServiceUser, std::strerror(errno)));
}

}  // namespace

std::string etc_dir() { return variable_or("GP_ETC_DIR", "/etc/generate-project"); }

std::string data_dir() { return variable_or("GP_DATA_DIR", GP_DATA_DIR); }

std::optional<std::string> unit_default(std::string_view name) {
  if (name == "SPOOL_PATH") return "/var/lib/generate-project/spool.db";
  if (name == "CSV_LOG_DIR") return "/var/log/generate-project";
  return std::nullopt;
}

Environment service_environment(SettingsFile file) {
  return with_unit_defaults(settings_of(std::move(file), etc_dir()));
}

Environment service_environment() { return with_unit_defaults(settings_in(etc_dir())); }

Environment host_environment() { return layered(process_environment(), service_environment()); }

std::vector<Fault> relative_paths(const Config& config) {
  std::vector<Fault> faults;
  for (const auto& [name, path] : {std::pair{"SPOOL_PATH", config.spool_path},
                                   {"CSV_LOG_DIR", config.csv_log_dir},
                                   {"PRICES_FILE", config.prices_file},
                                   {"BLOCKLIST_FILE", config.blocklist_file}}) {
    if (path.empty() || path.front() == '/') continue;
    faults.push_back({name, fmt::format("'{}' is not allowed; allowed: an absolute path", path)});
  }
  return faults;
}

bool is_user(const std::string& name) { return ::getpwnam(name.c_str()) != nullptr; }

bool is_service_installed() { return exists(etc_dir() + "/generate-project.conf") && is_user(kServiceUser); }

bool is_run_by_systemd() { return exists("/run/systemd/system") && is_service_installed(); }

bool has_worker() {
  if (!is_run_by_systemd()) return true;
  const auto state = run_program({"systemctl", "is-enabled", "generate-project-worker.service"}).output;
  return !state.starts_with("disabled") && !state.starts_with("masked");
}

bool are_settings_closed() { return ::geteuid() != 0 && is_service_installed(); }

Config load_as_service(std::span<const std::string_view> required) {
  try {
    Config config = load_config(host_environment(), required);
    if (is_service_installed()) require_absolute_paths(config);
    become_service_user();
    return config;
  } catch (const ConfigError& error) {
    if (!are_settings_closed()) throw;
    auto faults = error.faults();
    faults.push_back(
        {"user", fmt::format("the secrets in {} are open to root only: run this as root", etc_dir())});
    throw ConfigError(std::move(faults));
  }
}

void become_service_user() {
  if (::geteuid() != 0 || !is_service_installed()) return;
  const struct passwd* account = ::getpwnam(kServiceUser);
  if (account == nullptr) return;
  const uid_t uid = account->pw_uid;
  const gid_t gid = account->pw_gid;
  if (::initgroups(kServiceUser, gid) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0) cannot_become();
  if (::setuid(0) == 0) throw Error(ErrorKind::kBug, "the rights of root could be taken back");
  // libpq takes the role's name from the account; what the shell of root says of itself must not mislead it.
  for (const char* name : {"USER", "LOGNAME"}) ::setenv(name, kServiceUser, 1);
  ::setenv("HOME", "/nonexistent", 1);
  ::umask(0027);
}

}  // namespace gp::ctl
