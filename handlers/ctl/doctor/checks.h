#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/base/settings_file.h"
#include "core/llm/model_check.h"
#include "core/runlog/database_check.h"
#include "handlers/ctl/finding.h"
#include "handlers/ctl/units.h"

/// What doctor looks at, one function and one file each. None changes anything, none throws for what it
/// finds.
namespace gp::ctl::doctor {

/// Every setting that is wrong or missing, but for the key; fills `config` where all can be read.
Findings check_settings(const Environment& environment, std::optional<Config>& config);

/// The settings file: lines that are wrong, and names that no part of the service reads, such as a misspelt
/// setting. Names that the libraries of the service read from their environment (PGSSLMODE, https_proxy, TZ
/// ...) are none of these. Pure.
Findings check_settings_file(const SettingsFile& file);

/// The key for the LLM: only the worker needs it. Nothing where its file cannot be read: check_settings says
/// so.
Findings check_key(const Environment& environment, bool has_worker);

/// Settings that name a place by a relative path, where the service is installed. Pure.
Findings check_paths(const Config& config);

/// The files that lines NAME_FILE of the settings file name can be read, by whom this process is.
Findings check_secret_files(const SettingsFile& file);

/// PRICES_FILE and BLOCKLIST_FILE can be read, by whom this process is.
Findings check_files(const Config& config);

/// The folders that ReadWritePaths= opens for a unit, separated by blanks.
using OpenedFolders = std::function<std::string(const std::string& unit)>;

/// Do the package's units and their sandboxes (10-sandbox.conf) let the services write to SPOOL_PATH and
/// CSV_LOG_DIR, see the files that settings name, and have their sockets in RUNTIME_DIR? Of the last two only
/// what is wrong.
Findings check_sandbox(const Config& config, const OpenedFolders& opened);

/// Reachable, version, schema, rights, the table projects, LISTEN. `ahead` becomes the database's clock minus
/// this host's, where it answered.
Findings check_database(const Config& config, std::optional<std::chrono::milliseconds>& ahead);

/// What the facts of a database mean. Pure.
Findings judge_database(const runlog::DatabaseFacts& facts);

/// The file can be opened, is sound, and is not filling up.
Findings check_spool(const Config& config);

/// CSV_LOG_DIR can be written and has room.
Findings check_log_folder(const Config& config);

/// Is each enabled unit of the service active, or idle with its socket listening? Only one line where the
/// target is not active. Pure.
Findings judge_services(const std::vector<UnitState>& units);

/// nginx runs, the site is active, and nginx may hold as many streams as SSE_MAX_STREAMS promises.
/// `is_read` is the answer of is_site_read(), which root alone gets of Debian's nginx.
Findings check_nginx(const Config& config, const std::string& nginx_dir, std::optional<bool> is_read);

/// The key is accepted, the models exist and stay. `ahead` becomes the provider's clock minus this host's.
Findings check_llm(const Config& config, std::optional<std::chrono::milliseconds>& ahead);

/// What a provider's answer about MODEL_PRIMARY or MODEL_FALLBACK (`setting`) means. Pure.
Finding judge_model(const std::string& setting, const std::string& model, const llm::ModelFacts& facts,
                    WallTime now);

/// How far this host's clock is from the others', where they are known.
Findings check_clock(std::optional<std::chrono::milliseconds> database_ahead,
                     std::optional<std::chrono::milliseconds> provider_ahead);

/// The parts that can be left out, by name.
std::vector<std::string> parts();

/// What to look at.
struct Scope {
  std::string nginx_dir = "/etc/nginx";
  std::vector<std::string> skip;  ///< those of parts() that are left out
};

/// All of it, in the order above. Becomes the service's account on its way, as load_as_service does.
Findings examine(const Scope& scope);

}  // namespace gp::ctl::doctor
