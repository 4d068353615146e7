#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gp::ctl {

/// All of the service, as systemd sees it.
inline constexpr const char* kTarget = "generate-project.target";

/// How systemd says that a unit is (systemctl(1), show).
struct UnitState {
  std::string name;    ///< Id: "generate-project-worker.service"
  std::string file;    ///< UnitFileState: enabled, disabled, masked ...
  std::string active;  ///< ActiveState: active, activating, inactive, failed ...
  std::string sub;     ///< SubState: auto-restart between two starts of what crashes
  std::string result;  ///< Result: success, exit-code, signal, start-limit-hit ...
  std::string status;  ///< ExecMainStatus: the exit status of the last process; empty of what has none
};

/// To be started with the target.
bool is_enabled(const UnitState& unit);

/// What `systemctl show` prints of several units: NAME=value lines, a blank line between two units.
/// Properties that UnitState has no place for are passed over. Pure.
std::vector<UnitState> parse_units(std::string_view text);

/// The target, the sockets, the services and the timer of the package. Empty where systemd cannot be asked.
std::vector<UnitState> read_units();

}  // namespace gp::ctl
