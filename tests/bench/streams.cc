#include "tests/bench/streams.h"

#include <fmt/format.h>

#include "tests/bench/interruption.h"

namespace bench {

using std::chrono::seconds;

bool drive(support::Crowd& crowd, const std::function<bool()>& is_enough,
           std::chrono::milliseconds patience) {
  return crowd.run_until(
      [&] {
        throw_if_interrupted();
        return is_enough();
      },
      patience);
}

std::size_t open_all(support::Crowd& crowd, Report& report) {
  const support::CrowdTotals& totals = crowd.totals();
  const auto is_settled = [&] { return totals.open + totals.failed == crowd.size(); };
  std::size_t before = 0;
  while (!drive(crowd, is_settled, seconds(5)) && totals.open + totals.failed > before)
    before = totals.open + totals.failed;
  if (totals.open < crowd.size()) {
    report.fault(fmt::format("of {} streams {} opened; {} were refused, {} not reached, {} cut", crowd.size(),
                             totals.open, totals.refused, totals.unreachable, totals.cut));
  }
  return totals.open;
}

void report_faults(const support::Crowd& crowd, Report& report) {
  const support::CrowdTotals& totals = crowd.totals();
  report.fault_unless_zero(totals.gaps - totals.disorders, "events were lost");
  report.fault_unless_zero(totals.repeats, "events came twice");
  report.fault_unless_zero(totals.disorders, "events came out of order");
  report.fault_unless_zero(totals.unnumbered, "events had no id");
  report.fault_unless_zero(totals.refused, "responses were neither 200 nor 204");
  report.fault_unless_zero(totals.cut, "streams were cut");
}

}  // namespace bench
