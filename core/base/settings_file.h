#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config.h"

namespace gp {

/// What stands in an environment file.
struct SettingsFile {
  std::map<std::string, std::string> values;  ///< an empty one too
  std::vector<Fault> faults;  ///< each wrong line by the file's path and its number, never with its value
};

/// The NAME=value lines of an environment file, as systemd reads it for EnvironmentFile= (systemd.exec(5)):
/// blank lines and lines that begin with # or ; are passed over, a value may stand in single or double
/// quotes. Backslashes and continued lines are not understood; they are faults.
SettingsFile parse_settings_file(std::string_view text, std::string_view path);

/// `folder`/generate-project.conf. A file that does not exist or may not be read is an empty one.
SettingsFile read_settings_file(const std::string& folder);

/// The settings of an installed service: the lines of `file`, which is that of `folder`, and for a secret
/// that has no value there the file that its line NAME_FILE names, then `folder`/credentials/NAME. In this
/// order systemd gives them to the services too, the file as their environment. What does not exist or may
/// not be read is not set, but for the file of a NAME_FILE: asking for that secret throws ConfigError.
Environment settings_of(SettingsFile file, const std::string& folder);

/// settings_of() the file in `folder`. Throws ConfigError with all its faults.
Environment settings_in(const std::string& folder);

/// The value of a secret that has no variable of its own: the content, without newlines at its end, of the
/// file that the variable NAME_FILE names, else of the file NAME in the folder `credentials`. Throws
/// ConfigError where NAME_FILE names a file that cannot be read.
std::optional<std::string> find_secret_file(std::string_view name, const Environment& variables,
                                            const std::optional<std::string>& credentials);

/// Asks `first`, and `second` where that says nothing.
Environment layered(Environment first, Environment second);

}  // namespace gp
