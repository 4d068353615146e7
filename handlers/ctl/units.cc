#include "handlers/ctl/units.h"

#include <map>
#include <sstream>

#include "handlers/ctl/program.h"

namespace gp::ctl {
namespace {

const std::map<std::string_view, std::string UnitState::*> kProperties = {
    {"Id", &UnitState::name},
    {"UnitFileState", &UnitState::file},
    {"ActiveState", &UnitState::active},
    {"SubState", &UnitState::sub},
    {"Result", &UnitState::result},
    {"ExecMainStatus", &UnitState::status}};

}  // namespace

bool is_enabled(const UnitState& unit) { return unit.file == "enabled" || unit.file == "enabled-runtime"; }

std::vector<UnitState> parse_units(std::string_view text) {
  std::vector<UnitState> units;
  bool is_new = true;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const auto property = kProperties.find(std::string_view(line).substr(0, line.find('=')));
    if (line.empty()) is_new = true;
    if (property == kProperties.end()) continue;
    if (is_new) units.emplace_back();
    is_new = false;
    units.back().*property->second = line.substr(property->first.size() + 1);
  }
  return units;
}

std::vector<UnitState> read_units() {
  std::vector<std::string> words = {"systemctl", "show", kTarget, "generate-project-worker.service",
                                    "generate-project-prune.timer"};
  for (const auto& [property, member] : kProperties) words.push_back("--property=" + std::string(property));
  for (const std::string name : {"start", "status", "health", "events"}) {
    for (const char* kind : {".socket", ".service"}) words.push_back("generate-project-" + name + kind);
  }
  const auto outcome = run_program(words);
  return outcome.is_good() ? parse_units(outcome.output) : std::vector<UnitState>{};
}

}  // namespace gp::ctl
