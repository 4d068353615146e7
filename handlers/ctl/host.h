#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config.h"
#include "core/base/settings_file.h"

namespace gp::ctl {

/// The account that the service runs as, and the name of its role in PostgreSQL.
inline constexpr const char* kServiceUser = "generate-project";

/// Where the settings of an installed service stand: /etc/generate-project, or GP_ETC_DIR.
std::string etc_dir();

/// Where the package keeps what it is installed with (nginx/, www/ ...): chosen at build time, or
/// GP_DATA_DIR.
std::string data_dir();

/// The default that the package's units give a setting, in place of the table's: GP_DEFAULT_NAME in
/// systemd/generate-project-.service.d/10-sandbox.conf.
std::optional<std::string> unit_default(std::string_view name);

/// What the services are given where the service is installed: the lines of `file`, which is that of
/// etc_dir(), the files of secrets, and below both the defaults of the package's units.
Environment service_environment(SettingsFile file);

/// The same with the file as it is. Throws ConfigError where it has a fault.
Environment service_environment();

/// The environment of this process, and service_environment() for what that does not say. Throws ConfigError.
Environment host_environment();

/// Settings that name a place by a relative path, which is another one for each who reads it: the services
/// begin in /, a command where its user is. A fault where the service is installed.
std::vector<Fault> relative_paths(const Config& config);

/// The settings for a command that works with what belongs to the service: reads them and then, as root on a
/// host where the service is installed, becomes the service's account, because PostgreSQL knows it by that
/// (peer authentication) and whatever is written must be the service's. Throws ConfigError, there for a
/// relative path too.
Config load_as_service(std::span<const std::string_view> required);

/// The second half of load_as_service.
void become_service_user();

/// True where the service's settings and its account are there.
bool is_service_installed();

/// True where systemd runs the service, by the units of the package.
bool is_run_by_systemd();

/// Where the sockets are by the units of the package, whatever RUNTIME_DIR is.
inline constexpr const char* kUnitsRuntimeDir = "/run/generate-project";

/// False on a host that only serves: systemd runs the service, and its worker is disabled or masked.
bool has_worker();

/// True where the service is installed and this account may not read its settings and secrets.
bool are_settings_closed();

/// True where an account of that name exists.
bool is_user(const std::string& name);

}  // namespace gp::ctl
