// Scenario health: the shortest answer, as often as there can be, beside a bare FastCGI program and a static
// file of the same size.

#include "tests/bench/bench.h"
#include "tests/bench/comparison.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/stack.h"

namespace bench {

void run_health(const Options& options, Report& report) {
  const support::Stack stack(stack_settings({{"HEALTH_PROCESSES", "2"}}));
  const YardstickNginx yardsticks(stack);
  yardsticks.put_file("health", stack.get("/health").body);

  const Comparison compare(options, report);
  const Load file = compare.measure(yardsticks.port(), {get_request("/static/health")});
  const Load hello = compare.measure(yardsticks.port(), {get_request("/hello")});
  const Load health = compare.measure(stack.port(), {get_request("/health")});
  compare.add("/health", health, hello, "bare libfcgi");
  compare.add("/health", health, file, "static file");
}

}  // namespace bench
