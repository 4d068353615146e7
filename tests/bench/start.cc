// Scenario start: POST /start of pairs that are new, and of pairs that are known, as many as there can be,
// beside pgbench running the same statements of core/runlog/sql on the same PostgreSQL, and beside a bare
// FastCGI program that asks no database. No worker takes the runs; one session listens for them, as the
// workers' does.

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "bench_sql.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "tests/bench/bench.h"
#include "tests/bench/commits.h"
#include "tests/bench/comparison.h"
#include "tests/bench/interruption.h"
#include "tests/bench/pgbench.h"
#include "tests/bench/yardstick_nginx.h"
#include "tests/support/stack.h"

namespace bench {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kKnownPairs = 1000;
constexpr std::int64_t kPgbenchPairs = 1'000'000'000;  ///< numbers from here on; the service's are below

// Pairs
// --------------------------------------------------------------------------------------------------------------

/// A pair's project and chat are both called by its number.
gp::Json body_for(std::size_t pair) {
  gp::Json body = support::start_body("market");
  body["project_id"] = body["chat_id"] = std::to_string(pair);
  return body;
}

std::string request_for(std::size_t pair) { return post_request("/start", gp::dump_json(body_for(pair))); }

/// The id in an answer's body; empty where it is not {"run_id": <uuid>}.
std::string run_id_in(const std::string& body) {
  const gp::Json answer = gp::Json::parse(body, nullptr, false);
  if (!answer.is_object() || answer.size() != 1 || !answer.contains("run_id")) return {};
  const auto run_id = gp::parse_run_id(answer.at("run_id").get<std::string>());
  return run_id ? run_id->str() : std::string();
}

/// Every request another pair; each must be answered with 202 and a run id that nobody has had.
class NewPairs {
 public:
  Questions questions() {
    return {[this](std::size_t) { return request_for(next_++); },
            [this](std::size_t, int status, const std::string& body) {
              const std::string run_id = run_id_in(body);
              return status == 202 && !run_id.empty() && ids_.insert(run_id).second;
            }};
  }
  std::size_t asked() const noexcept { return next_; }

 private:
  std::size_t next_ = 1;  ///< 0 is the one that is there before
  std::unordered_set<std::string> ids_;
};

/// The same pairs over and over; each must be answered with 200 and its own run id.
class KnownPairs {
 public:
  /// Starts them.
  KnownPairs(const support::Stack& stack, std::size_t first) : first_(first) {
    for (std::size_t i = 0; i < kKnownPairs; ++i) ids_.push_back(stack.start(body_for(first_ + i)));
  }
  Questions questions() {
    return {[this](std::size_t number) { return request_for(first_ + number % kKnownPairs); },
            [this](std::size_t number, int status, const std::string& body) {
              return status == 200 && run_id_in(body) == ids_[number % kKnownPairs];
            }};
  }
  std::size_t first() const noexcept { return first_; }

 private:
  std::size_t first_;
  std::vector<std::string> ids_;
};

// The yardstick
// --------------------------------------------------------------------------------------------------------------

struct StoredRequest {
  std::string request;
  std::string owner_email;
  std::int64_t runs = 0;
};

StoredRequest read_stored(const gp::Secret& url) {
  const auto row = gp::pg::Session(url, "bench").run(gp::bench_sql::kReadFirstRequest);
  return {row.text(0, "request"), row.text(0, "owner_email"), row.number(0, "runs")};
}

const std::string kFindRun = "find_run";
const std::string kRunId = "md5(:pair::text)";

/// What RunIntake does for a new pair: each statement is a transaction.
std::string new_pair_script() {
  return fmt::format("\\set n :n + 1\n\\set pair {} + :client_id * {} + :n\n", kPgbenchPairs, kPgbenchPairs) +
         statement(kFindRun, {":pair", ":pair", ":request", ":owner"}) + ";\n" +
         statement("insert_run", {kRunId, ":pair", ":pair", ":request", ":owner", ":queue_max"}) + ";\n" +
         statement("ring", {":channel", "''"}) + ";\n";
}

/// What it does for a known one.
std::string known_pair_script(std::size_t first) {
  return fmt::format("\\set n :n + 1\n\\set pair {} + :n % {}\n", first, kKnownPairs) +
         statement(kFindRun, {":pair", ":pair", ":request", ":owner"}) + ";\n";
}

/// The same for one of them, whole.
std::string find_first_pair(const StoredRequest& stored) {
  return statement(kFindRun,
                   {"'0'", "'0'", quoted_literal(stored.request), quoted_literal(stored.owner_email)});
}

/// A server in the same state before each measurement: after a checkpoint the first change of every page is
/// expensive, so all of them begin with that.
void checkpoint(const gp::Secret& url) {
  throw_if_interrupted();
  gp::pg::Session(url, "bench").run_script("CHECKPOINT");
}

/// The pool of workers ends; what is started afterwards stays queued.
void stop_workers(const support::Stack& stack) {
  const int master = stack.pid_of("worker");
  ::kill(master, SIGTERM);
  const auto deadline = gp::steady_now() + std::chrono::seconds(20);
  while (::kill(master, 0) == 0) {
    if (gp::steady_now() > deadline) throw std::runtime_error("the workers do not end");
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace

void run_start(const Options& options, Report& report) {
  const support::Stack stack(stack_settings({{"QUEUE_MAX_RUNS", "0"}}));
  const gp::Secret url(stack.database_url());
  stop_workers(stack);
  const Listeners listener(url, 1, gp::runlog::kQueueChannel);
  const milliseconds time = options.time(std::chrono::seconds(5));

  stack.start(body_for(0));
  const StoredRequest stored = read_stored(url);
  const YardstickNginx yardsticks(stack, find_first_pair(stored));
  const std::map<std::string, std::string> variables = {{"n", "0"},
                                                        {"request", stored.request},
                                                        {"owner", stored.owner_email},
                                                        {"queue_max", "0"},
                                                        {"channel", gp::runlog::kQueueChannel}};

  NewPairs fresh;
  load(stack.port(), fresh.questions(), milliseconds(500));  // sessions are made, statements prepared
  checkpoint(url);
  const Load started = load(stack.port(), fresh.questions(), time);
  report.fault_unless_zero(started.wrong, "new pairs were not answered with 202 and a run id of their own");
  if (const auto runs = read_stored(url).runs; runs != static_cast<std::int64_t>(fresh.asked()))
    report.fault(fmt::format("{} pairs were started, {} runs are recorded", fresh.asked(), runs));
  checkpoint(url);
  report.beside("new pairs", started.requests_per_second, "1/s",
                Pgbench{new_pair_script(), variables}.run(url, time), "pgbench", ">= 0.7");
  report.times("new pairs", started.times);

  KnownPairs known(stack, fresh.asked());
  const Load repeated = load(stack.port(), known.questions(), time);
  report.fault_unless_zero(repeated.wrong, "known pairs were not answered with 200 and their run id");
  report.beside("known pairs", repeated.requests_per_second, "1/s",
                Pgbench{known_pair_script(known.first()), variables}.run(url, time), "pgbench", ">= 0.8");
  const Comparison compare(options, report);
  const Load hello = compare.measure(yardsticks.port(), {get_request("/hello/logged")});
  compare.add("known pairs", repeated, hello, "bare libfcgi");
  const Load select = compare.measure(yardsticks.port(), {get_request("/hello/logged?select")});
  compare.add("known pairs", repeated, select, "bare libfcgi with the select");
}

}  // namespace bench
