#include <algorithm>

#include <fmt/format.h>

#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

using Units = std::vector<UnitState>;

bool is_active(const Units& units, const std::string& name) {
  const auto unit = std::ranges::find(units, name, &UnitState::name);
  return unit != units.end() && unit->active == "active";
}

/// Nothing has asked for it yet, and what does will start it: its socket listens.
bool is_idle(const UnitState& unit, const Units& units) {
  const auto stem = unit.name.substr(0, unit.name.rfind('.'));
  return unit.active == "inactive" && unit.name.ends_with(".service") && is_active(units, stem + ".socket");
}

bool is_as_it_should_be(const UnitState& unit, const Units& units) {
  const bool is_running = unit.active == "active" || unit.active == "reloading";
  return !is_enabled(unit) || is_running || is_idle(unit, units);
}

/// "services.worker"; of a socket or a timer with its kind.
std::string check_of(const UnitState& unit) {
  constexpr std::string_view kPrefix = "generate-project-";
  constexpr std::string_view kService = ".service";
  std::string name = unit.name.starts_with(kPrefix) ? unit.name.substr(kPrefix.size()) : unit.name;
  if (name.ends_with(kService)) name.resize(name.size() - kService.size());
  return "services." + name;
}

Finding judge_unit(const UnitState& unit) {
  if (unit.active == "inactive")
    return fail(check_of(unit), unit.name + " is stopped", fmt::format("systemctl start {}", kTarget));
  if (unit.active == "activating" && unit.sub != "auto-restart")
    return warn(check_of(unit), unit.name + " is being started", "ask again in a moment");
  const std::string state = unit.sub == "auto-restart" ? "ends again and again" : "is " + unit.active;
  return fail(check_of(unit),
              fmt::format("{} {}: {}{}", unit.name, state, unit.result,
                          unit.status.empty() ? "" : ", its last exit status is " + unit.status),
              fmt::format("journalctl -u {} says why; then systemctl reset-failed {} && systemctl start {}",
                          unit.name, unit.name, kTarget));
}

}  // namespace

Findings judge_services(const Units& units) {
  if (!is_active(units, kTarget)) {
    return {warn("services.target",
                 fmt::format("{} is not active: the service has not been started", kTarget),
                 fmt::format("generate-project setup, or systemctl enable --now {}", kTarget))};
  }
  Findings findings;
  for (const UnitState& unit : units) {
    if (!is_as_it_should_be(unit, units)) findings.push_back(judge_unit(unit));
  }
  if (findings.empty()) findings.push_back(ok("services", "each enabled unit runs, or waits for a request"));
  return findings;
}

}  // namespace gp::ctl::doctor
