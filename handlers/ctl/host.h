#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/config.h"

namespace gp::ctl {

/// The account that the service runs as, and the name of its role in PostgreSQL.
inline constexpr const char* kServiceUser = "generate-project";

/// Where the settings of an installed service stand: /etc/generate-project, or GP_ETC_DIR.
std::string etc_dir();

/// Where the package keeps what it is installed with (nginx/, www/ ...): chosen at build time, or
/// GP_DATA_DIR.
std::string data_dir();

/// The environment, and the settings of the installed service for what it does not say.
Environment host_environment();

/// The settings for a command that works with what belongs to the service: reads them and then, as root on a
/// host where the service is installed, becomes the service's account, because PostgreSQL knows it by that
/// (peer authentication) and whatever is written must be the service's. Throws ConfigError.
Config load_as_service(std::span<const std::string_view> required);

/// The second half of load_as_service.
void become_service_user();

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
