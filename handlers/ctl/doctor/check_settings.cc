#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "core/llm/prices.h"
#include "core/project/blocklist.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/folder_state.h"
#include "handlers/ctl/host.h"

namespace gp::ctl::doctor {
namespace {

constexpr std::array<std::string_view, 1> kRequired = {"DATABASE_URL"};

std::string advice_for_secret(std::string_view name) {
  return fmt::format("write it to /etc/generate-project/credentials/{}, mode 0600, owner root", name);
}

std::string advice_for(const std::string& setting) {
  if (setting == kRequired.front()) return advice_for_secret(setting);
  return "correct it in /etc/generate-project/generate-project.conf";
}

/// A setting's, or NAME_FILE of one.
bool is_ours(std::string_view name) {
  constexpr std::string_view kFile = "_FILE";
  if (std::ranges::find(settings(), name, &Setting::name) != settings().end()) return true;
  return name.ends_with(kFile) && is_ours(name.substr(0, name.size() - kFile.size()));
}

/// libpq, libcurl, OpenSSL, the allocator and the C library; systemd gives them the lines of the file as
/// well.
bool is_read_by_a_library(std::string_view name) {
  constexpr std::array<std::string_view, 5> kBeginnings = {"PG", "SSL_CERT_", "OPENSSL_", "LC_", "MALLOC_"};
  constexpr std::array<std::string_view, 3> kNames = {"TZ", "LANG", "RES_OPTIONS"};
  return std::ranges::any_of(kBeginnings, [&](auto begin) { return name.starts_with(begin); }) ||
         std::ranges::find(kNames, name) != kNames.end() || name.ends_with("_proxy") ||
         name.ends_with("_PROXY");
}

template <class Load>
Finding check_file(const char* setting, const std::string& path, const Load& load) {
  try {
    load();
    return ok(fmt::format("settings.{}", setting), path.empty() ? "the built-in one" : path);
  } catch (const std::exception& error) {
    return fail(fmt::format("settings.{}", setting), error.what(),
                fmt::format("correct the file, let the service's user read it, or unset {}", setting));
  }
}

constexpr const char* kState = "/var/lib/generate-project";  // StateDirectory= of who writes
constexpr const char* kLogs = "/var/log/generate-project";   // LogsDirectory=

/// A folder that a setting names, and who writes to it.
struct Written {
  std::string setting;
  std::string folder;
  std::string own;  ///< what the package has for it; these services may write to kState as well
  std::vector<std::string> units;
};

bool is_open(const std::string& folder, const std::string& open_folders) {
  std::istringstream words(open_folders);
  for (std::string word; words >> word;) {
    const auto slash = word.find('/');  // before it may stand - or +
    if (slash != std::string::npos && is_within(folder, word.substr(slash))) return true;
  }
  return false;
}

Finding judge_folder(Written written, const OpenedFolders& opened) {
  const auto& folder = written.folder;
  std::erase_if(written.units, [&](const std::string& unit) {
    return is_open(folder, fmt::format("{} {} {}", written.own, kState, opened(unit)));
  });
  const std::string check = "sandbox." + written.setting;
  if (written.units.empty()) return ok(check, folder + " is open to the services");
  const std::string units = fmt::format("{}", fmt::join(written.units, " "));
  return warn(
      check, fmt::format("{} is closed to {}", folder, units),
      fmt::format(
          "name a folder below {}; or make this one, not below /home, /root or /tmp, then systemctl edit {}, "
          "write [Service] and ReadWritePaths={}, and restart the services",
          written.own, units, folder));
}

/// Files that are hidden from who reads them, by ProtectHome= and PrivateTmp= of all services and
/// InaccessiblePaths= of start.
Findings judge_files(const Config& config) {
  Findings findings;
  const auto judge = [&](const char* setting, const std::string& file,
                         const std::vector<const char*>& hidden) {
    const auto hides = [&](const char* folder) { return is_within(file, folder); };
    if (file.empty() || std::ranges::none_of(hidden, hides)) return;
    findings.push_back(warn(fmt::format("sandbox.{}", setting),
                            file + " is hidden from a service that reads it",
                            "keep it in /etc/generate-project, readable by the account generate-project"));
  };
  std::vector<const char*> hidden = {"/home", "/root", "/run/user", "/tmp", "/var/tmp"};
  judge("PRICES_FILE", config.prices_file, hidden);  // read by the worker alone
  hidden.insert(hidden.end(), {kState, kLogs});
  judge("BLOCKLIST_FILE", config.blocklist_file, hidden);
  return findings;
}

Finding wrong_runtime_dir(const Config& config) {
  return fail("sandbox.RUNTIME_DIR",
              fmt::format("{}, but systemd makes the sockets in {}", config.runtime_dir, kUnitsRuntimeDir),
              "remove RUNTIME_DIR from /etc/generate-project/generate-project.conf");
}

}  // namespace

Findings check_settings(const Environment& environment, std::optional<Config>& config) {
  Findings findings;
  try {
    config = load_config(environment, kRequired);
  } catch (const ConfigError& error) {
    for (const Fault& fault : error.faults())
      findings.push_back(fail("settings." + fault.field, fault.problem, advice_for(fault.field)));
    return findings;
  }
  findings.push_back(ok("settings", fmt::format("all {} can be read", settings().size())));
  return findings;
}

Findings check_settings_file(const SettingsFile& file) {
  Findings findings;
  for (const Fault& fault : file.faults) {
    findings.push_back(fail("settings.file", fmt::format("{} {}", fault.field, fault.problem),
                            "correct the line: the services pass over it, and other commands refuse it"));
  }
  std::vector<std::string> unknown;
  for (const auto& [name, value] : file.values) {
    if (!is_ours(name) && !is_read_by_a_library(name)) unknown.push_back(name);
  }
  if (unknown.empty()) return findings;
  findings.push_back(warn("settings.names", fmt::format("nothing reads {}", fmt::join(unknown, ", ")),
                          "correct the name in /etc/generate-project/generate-project.conf, or remove the "
                          "line; generate-project settings shows every name"));
  return findings;
}

Findings check_key(const Environment& environment, bool has_worker) {
  const std::string check = "settings.OPENAI_API_KEY";
  try {
    if (!environment("OPENAI_API_KEY").value_or("").empty()) return {ok(check, "is set")};
  } catch (const ConfigError&) {
    return {};
  }
  if (!has_worker) return {ok(check, "not set; no worker runs on this host, and nobody else needs it")};
  return {fail(check, "not set", advice_for_secret("OPENAI_API_KEY"))};
}

Findings check_paths(const Config& config) {
  Findings findings;
  for (const Fault& fault : relative_paths(config)) {
    findings.push_back(fail("settings." + fault.field, fault.problem + ": the services begin in /",
                            advice_for(fault.field)));
  }
  return findings;
}

Findings check_secret_files(const SettingsFile& file) {
  Findings findings;
  for (const Setting& setting : settings()) {
    const auto line = file.values.find(fmt::format("{}_FILE", setting.name));
    if (line == file.values.end() || line->second.empty()) continue;
    if (::faccessat(AT_FDCWD, line->second.c_str(), R_OK, AT_EACCESS) == 0) continue;
    findings.push_back(fail("settings." + line->first,
                            fmt::format("{}: {}", line->second, std::strerror(errno)),
                            "let the account generate-project read it, or keep the secret in "
                            "/etc/generate-project/credentials"));
  }
  return findings;
}

Findings check_files(const Config& config) {
  return {check_file("PRICES_FILE", config.prices_file, [&] { llm::PriceTable::load(config.prices_file); }),
          check_file("BLOCKLIST_FILE", config.blocklist_file,
                     [&] { project::Blocklist::load(config.blocklist_file); })};
}

Findings check_sandbox(const Config& config, const OpenedFolders& opened) {
  const std::string spool = std::filesystem::path(config.spool_path).parent_path().string();
  std::vector<std::string> units = {"generate-project-worker", "generate-project-prune"};
  const Written logs{"CSV_LOG_DIR", config.csv_log_dir, kLogs, units};
  units.emplace_back("generate-project-events");
  Findings findings = judge_files(config);
  findings.push_back(judge_folder({"SPOOL_PATH", spool, kState, units}, opened));
  findings.push_back(judge_folder(logs, opened));
  if (!is_same_folder(config.runtime_dir, kUnitsRuntimeDir)) findings.push_back(wrong_runtime_dir(config));
  return findings;
}

}  // namespace gp::ctl::doctor
