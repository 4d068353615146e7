#include "tests/bench/results.h"

#include <iostream>
#include <utility>

#include <fmt/format.h>

namespace bench {
namespace {

std::string number(double value) {
  if (value >= 100 || value == 0) return fmt::format("{:.0f}", value);
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::optional<double> ratio(const Row& row) {
  if (!row.yardstick || *row.yardstick == 0) return std::nullopt;
  return row.ours / *row.yardstick;
}

std::string line(const Row& row) {
  const std::string yardstick =
      row.yardstick ? fmt::format("{} ({})", number(*row.yardstick), row.against) : std::string();
  const auto times = ratio(row);
  return fmt::format("{:<13} {:<42} {:>8} {:<4} {:>24}  {}{}{}", row.scenario, row.measure, number(row.ours),
                     row.unit, yardstick, times ? fmt::format("{:.2f} x", *times) : "",
                     times && !row.target.empty() ? ", aim: " : "", row.target);
}

gp::Json to_json(const Row& row) {
  gp::Json entry = {
      {"scenario", row.scenario}, {"measure", row.measure}, {"unit", row.unit}, {"ours", row.ours}};
  if (row.yardstick) entry["yardstick"] = {{"what", row.against}, {"value", *row.yardstick}};
  if (const auto times = ratio(row)) entry["ratio"] = *times;
  if (!row.target.empty()) entry["target"] = row.target;
  return entry;
}

}  // namespace

void Results::add(Row row) {
  std::cerr << line(row) << '\n';
  rows_.push_back(std::move(row));
}

void Results::remark(const std::string& text) {
  std::cerr << text << '\n';
  remarks_.push_back(text);
}

void Results::fault(const std::string& text) {
  std::cerr << "WRONG " << text << '\n';
  faults_.push_back(text);
}

void Results::print(std::ostream& out) const {
  out << fmt::format("{:<13} {:<42} {:>8} {:<4} {:>24}  {}\n", "scenario", "measure", "ours", "", "yardstick",
                     "ratio or target");
  for (const Row& row : rows_) out << line(row) << '\n';
  for (const std::string& remark : remarks_) out << "  " << remark << '\n';
  for (const std::string& fault : faults_) out << "WRONG " << fault << '\n';
}

gp::Json Results::to_json() const {
  gp::Json rows = gp::Json::array();
  for (const Row& row : rows_) rows.push_back(bench::to_json(row));
  return {{"rows", rows}, {"remarks", remarks_}, {"faults", faults_}};
}

void Report::figure(const std::string& measure, double ours, const std::string& unit,
                    const std::string& target) {
  results_.add({scenario_, measure, ours, unit, {}, {}, target});
}

void Report::beside(const std::string& measure, double ours, const std::string& unit, double yardstick,
                    const std::string& against, const std::string& target) {
  results_.add({scenario_, measure, ours, unit, yardstick, against, target});
}

void Report::times(const std::string& measure, const Samples& times, const std::string& target_p50,
                   const std::string& target_p99) {
  figure(measure + " p50", times.quantile(0.5), "ms", target_p50);
  figure(measure + " p99", times.quantile(0.99), "ms", target_p99);
}

void Report::times_beside(const std::string& measure, const Samples& times, const Samples& yardstick,
                          const std::string& against) {
  beside(measure + " p50", times.quantile(0.5), "ms", yardstick.quantile(0.5), against);
  beside(measure + " p99", times.quantile(0.99), "ms", yardstick.quantile(0.99), against);
}

void Report::fault_unless_zero(std::uint64_t count, const std::string& what) {
  if (count > 0) fault(fmt::format("{} {}", count, what));
}

}  // namespace bench
