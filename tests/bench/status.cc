// Scenario status: the documents of a hundred projects, and that they have not changed, as often as there can
// be, beside a bare FastCGI program that answers as many bytes and asks no database, and a static file.

#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/bench.h"
#include "tests/bench/comparison.h"
#include "tests/bench/pgbench.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/log_runs.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

constexpr std::size_t kProjects = 100;
constexpr std::size_t kDocumentBytes = 8192;

/// The least that tells whether a document has changed.
std::string find_document(const std::string& project) {
  return fmt::format("SELECT xmin, ctid FROM projects WHERE id = {}", quoted_literal(project));
}

/// A request for each project's document.
std::vector<std::string> requests_for(const support::LogRuns& runs, const std::string& headers = {}) {
  std::vector<std::string> requests;
  for (std::size_t i = 0; i < kProjects; ++i)
    requests.push_back(get_request("/status/" + runs.project(i), headers));
  return requests;
}

}  // namespace

void run_status(const Options& options, Report& report) {
  const support::Stack stack(stack_settings());
  const support::LogRuns runs(gp::Secret(stack.database_url()), kProjects, kDocumentBytes);
  const YardstickNginx yardsticks(stack, find_document(runs.project(0)));
  const support::Reply reply = stack.get("/status/" + runs.project(0));  // they all have the same text
  yardsticks.put_file("status", reply.body);

  const Comparison compare(options, report);
  const std::string as_many_bytes = fmt::format("/hello/logged?bytes={}", reply.body.size());
  const Load hello = compare.measure(yardsticks.port(), {get_request(as_many_bytes)});
  const Load document = compare.measure(stack.port(), requests_for(runs));
  const Load file = compare.measure(yardsticks.port(), {get_request("/static/status")});
  compare.add("8 KiB", document, hello, "bare libfcgi", ">= 0.6");
  compare.add("8 KiB", document, file, "static file");

  const Load short_hello = compare.measure(yardsticks.port(), {get_request("/hello/logged")});
  const std::string known = fmt::format("If-None-Match: {}\r\n", reply.header("etag"));
  const Load unchanged = compare.measure(stack.port(), requests_for(runs, known), 304);
  compare.add("304", unchanged, short_hello, "bare libfcgi", ">= 0.8");
  compare.add("304", unchanged, hello, "bare libfcgi, 8 KiB");
  const Load select = compare.measure(yardsticks.port(), {get_request("/hello/logged?select")});
  compare.add("304", unchanged, select, "bare libfcgi with a select of the row");
}

}  // namespace bench
