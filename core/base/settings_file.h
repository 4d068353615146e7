#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config.h"

namespace gp {

/// The NAME=value lines of an environment file, as systemd reads it for EnvironmentFile= (systemd.exec(5)):
/// blank lines and lines that begin with # or ; are passed over, a value may stand in single or double
/// quotes. Backslashes and continued lines are not understood; they are faults. Throws ConfigError with every
/// wrong line, naming `path` and its number and never its value.
std::map<std::string, std::string> parse_settings_file(std::string_view text, std::string_view path);

/// The settings of an installed service: `folder`/generate-project.conf, and for a secret one that has no
/// value there the file `folder`/credentials/NAME. In this order systemd gives them to the services too, the
/// file of settings as their environment. What does not exist or may not be read is not set. Throws
/// ConfigError.
Environment settings_in(const std::string& folder);

/// The names that stand in `folder`/generate-project.conf, whether anything reads them or not. Throws
/// ConfigError.
std::vector<std::string> names_in(const std::string& folder);

/// Asks `first`, and `second` where that says nothing.
Environment layered(Environment first, Environment second);

}  // namespace gp
