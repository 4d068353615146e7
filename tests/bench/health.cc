// Scenario health: the short answers, as many as there can be, beside a bare FastCGI program and a static
// file of the same size.

#include <fmt/format.h>

#include "tests/bench/bench.h"
#include "tests/bench/http_load.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/log_runs.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

constexpr std::size_t kDocumentBytes = 8192;

struct Asked {
  int port;
  std::string target;
  int status = 200;
  std::string headers = {};
};

/// One scenario's tools.
struct Comparison {
  const Options& options;
  Report& report;

  /// The second of two loads: the first warms everything up.
  Load measure(const Asked& asked) const {
    load(asked.port, asked.target, asked.status, std::chrono::milliseconds(500), asked.headers);
    Load load = bench::load(asked.port, asked.target, asked.status, options.time(std::chrono::seconds(5)),
                            asked.headers);
    report.fault_unless_zero(load.wrong, "answers of " + asked.target + " had another status");
    return load;
  }

  void add(const std::string& what, const Load& ours, const Load& yardstick,
           const std::string& against) const {
    report.beside(what + " answers", ours.requests_per_second, "1/s", yardstick.requests_per_second, against);
    report.times_beside(what, ours.times, yardstick.times, against);
  }
};

}  // namespace

void run_health(const Options& options, Report& report) {
  const support::Stack stack(stack_settings({{"HEALTH_PROCESSES", "2"}, {"STATUS_PROCESSES", "2"}}));
  const YardstickNginx yardsticks(stack);
  const support::LogRuns runs(gp::Secret(stack.database_url()), 1, kDocumentBytes);
  const std::string status = "/status/" + runs.project(0);
  const support::Reply reply = stack.get(status);
  yardsticks.put_file("health", stack.get("/health").body);
  yardsticks.put_file("status", reply.body);

  const Comparison compare{options, report};
  const Load file = compare.measure({yardsticks.port(), "/static/health"});
  const Load hello = compare.measure({yardsticks.port(), "/hello"});
  const Load health = compare.measure({stack.port(), "/health"});
  compare.add("/health", health, hello, "bare libfcgi");
  compare.add("/health", health, file, "static file");
  const Load document = compare.measure({yardsticks.port(), "/static/status"});
  compare.add("/status, 8 KiB", compare.measure({stack.port(), status}), document, "static file");
  const std::string known = fmt::format("If-None-Match: {}\r\n", reply.header("etag"));
  compare.add("/status, 304", compare.measure({stack.port(), status, 304, known}), hello, "bare libfcgi");
}

}  // namespace bench
