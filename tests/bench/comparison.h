#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/http_load.h"

namespace bench {

/// A scenario's loads, measured one after the other and set beside each other.
class Comparison {
 public:
  Comparison(const Options& options, Report& report) : options_(options), report_(report) {}

  /// The same requests over and over for 5 s, after half a second that warms everything up.
  Load measure(int port, const std::vector<std::string>& requests, int expected_status = 200) const;

  /// One row for the rate, with what we aim at of its ratio, and two for the times.
  void add(const std::string& what, const Load& ours, const Load& yardstick, const std::string& against,
           const std::string& target = {}) const;

 private:
  const Options& options_;
  Report& report_;
};

}  // namespace bench
