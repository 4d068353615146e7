#include "tests/bench/comparison.h"

namespace bench {

Load Comparison::measure(int port, const std::vector<std::string>& requests, int expected_status) const {
  load(port, requests, expected_status, std::chrono::milliseconds(500));
  Load load = bench::load(port, requests, expected_status, options_.time(std::chrono::seconds(5)));
  const std::string& request = requests.front();
  report_.fault_unless_zero(load.wrong, "answers of " + request.substr(0, request.find('\r')) +
                                            " had another status than " + std::to_string(expected_status));
  return load;
}

void Comparison::add(const std::string& what, const Load& ours, const Load& yardstick,
                     const std::string& against, const std::string& target) const {
  report_.beside(what + " answers", ours.requests_per_second, "1/s", yardstick.requests_per_second, against,
                 target);
  report_.times_beside(what, ours.times, yardstick.times, against);
}

}  // namespace bench
