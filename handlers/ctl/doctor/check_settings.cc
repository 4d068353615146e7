#include <array>

#include <fmt/format.h>

#include "core/llm/prices.h"
#include "core/project/blocklist.h"
#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

constexpr std::array<std::string_view, 2> kRequired = {"DATABASE_URL", "OPENAI_API_KEY"};

std::string advice_for(const std::string& setting) {
  for (const std::string_view secret : kRequired) {
    if (setting == secret)
      return fmt::format("write it to /etc/generate-project/credentials/{}, mode 0600, owner root", setting);
  }
  return "correct it in /etc/generate-project/generate-project.conf";
}

template <class Load>
Finding check_file(const char* setting, const std::string& path, const Load& load) {
  try {
    load();
    return ok(fmt::format("settings.{}", setting), path.empty() ? "the built-in one" : path);
  } catch (const std::exception& error) {
    return fail(fmt::format("settings.{}", setting), error.what(),
                "correct the file, or unset " + std::string(setting));
  }
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
  findings.push_back(check_file("PRICES_FILE", config->prices_file,
                                [&] { return llm::PriceTable::load(config->prices_file); }));
  findings.push_back(check_file("BLOCKLIST_FILE", config->blocklist_file,
                                [&] { return project::Blocklist::load(config->blocklist_file); }));
  return findings;
}

}  // namespace gp::ctl::doctor
