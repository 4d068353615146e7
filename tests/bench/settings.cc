#include <cstdlib>

#include "tests/bench/bench.h"

namespace bench {

std::map<std::string, std::string> stack_settings(const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> settings = {
      {"EVENTS_PROCESSES", "1"}, {"SSE_MAX_STREAMS", "12000"}, {"WORKER_PROCESSES", "1"}};
  for (auto entry = settings.begin(); entry != settings.end();) {
    entry = std::getenv(entry->first.c_str()) != nullptr ? settings.erase(entry) : std::next(entry);
  }
  for (const auto& [name, value] : more) settings[name] = value;
  return settings;
}

}  // namespace bench
