#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/base/secret.h"

namespace bench {

/// A statement of core/runlog/sql in which `values` stand for $1, $2 ...
std::string statement(const std::string& name, const std::vector<std::string>& values);

/// A text as a literal of SQL.
std::string quoted_literal(const std::string& text);

/// One run of pgbench: statements prepared once, on a connection for each client, two threads.
struct Pgbench {
  std::string script;
  std::map<std::string, std::string> variables;  ///< what :name is at the begin, for each client
  std::size_t clients = 32;

  /// Scripts ended a second, for `time`. Throws std::runtime_error where there is no pgbench or a statement
  /// fails.
  double run(const gp::Secret& database_url, std::chrono::milliseconds time) const;
};

}  // namespace bench
