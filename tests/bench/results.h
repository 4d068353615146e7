#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/bench/samples.h"

namespace bench {

/// One line of the table. Beside our figure stands a yardstick's, measured in the same run, and what we aim
/// at: of the figure, or of its ratio to the yardstick.
struct Row {
  std::string scenario;
  std::string measure;
  double ours = 0;
  std::string unit = {};
  std::optional<double> yardstick = {};
  std::string against = {};  ///< what the yardstick is
  std::string target = {};   ///< "<= 5"
};

/// What the bench has found: figures, remarks about how they came about, and faults. Everything is also said
/// on stderr at once. One thread.
class Results {
 public:
  void add(Row row);
  void remark(const std::string& text);
  void fault(const std::string& text);

  bool has_faults() const noexcept { return !faults_.empty(); }
  void print(std::ostream& out) const;
  gp::Json to_json() const;

 private:
  std::vector<Row> rows_;
  std::vector<std::string> remarks_;
  std::vector<std::string> faults_;
};

/// One scenario's part of the results. A figure is never a fault, however bad; a lost event is.
class Report {
 public:
  Report(Results& results, std::string scenario) : results_(results), scenario_(std::move(scenario)) {}

  void figure(const std::string& measure, double ours, const std::string& unit,
              const std::string& target = {});
  void beside(const std::string& measure, double ours, const std::string& unit, double yardstick,
              const std::string& against, const std::string& target = {});

  /// p50 and p99 of `times`.
  void times(const std::string& measure, const Samples& times, const std::string& target_p50 = {},
             const std::string& target_p99 = {});
  void times_beside(const std::string& measure, const Samples& times, const Samples& yardstick,
                    const std::string& against);

  void remark(const std::string& text) { results_.remark(scenario_ + ": " + text); }
  void fault(const std::string& text) { results_.fault(scenario_ + ": " + text); }
  void fault_unless_zero(std::uint64_t count, const std::string& what);

 private:
  Results& results_;
  std::string scenario_;
};

}  // namespace bench
