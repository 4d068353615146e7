#pragma once

#include <stdexcept>
#include <string>

#include "tests/e2e/on_stack.h"

namespace e2e {

/// The value of one series of GET /metrics: `name` with its labels, as it is written there.
inline double metric(const std::string& name) {
  const std::string text = "\n" + stack().get("/metrics").body;
  const auto at = text.find("\n" + name + " ");
  if (at == std::string::npos) throw std::runtime_error("there is no metric " + name);
  return std::stod(text.substr(at + name.size() + 2));
}

}  // namespace e2e
