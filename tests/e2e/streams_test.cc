// Thousands of streams at once: what a restart, a reload, a crash, an outage and slow clients do to them.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/pg/session.h"
#include "core/runlog/doorbell.h"
#include "core/runlog/event_writer.h"
#include "tests/e2e/metrics.h"
#include "tests/e2e/on_stack.h"
#include "tests/support/crowd.h"
#include "tests/support/log_runs.h"
#include "tests/support/wait.h"

using e2e::metric;
using e2e::OnStack;
using e2e::stack;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Crowd;
using support::CrowdEvent;
using support::CrowdOptions;
using support::LogRuns;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStreams = 400;  // the sanitizer makes everything several times slower and larger
#else
constexpr std::size_t kStreams = 2000;
#endif
constexpr std::size_t kPerRun = 10;
constexpr std::size_t kRoom = kStreams + 100;  // SSE_MAX_STREAMS

struct Settings {
  Settings() {
    OnStack::settings = {{"SSE_KEEPALIVE_S", "2"},      {"SSE_STALL_S", "8"},
                         {"SSE_BUFFER_BYTES", "65536"}, {"SSE_MAX_STREAMS", std::to_string(kRoom)},
                         {"SSE_MAX_AGE_S", "3600"},     {"DRAIN_S", "5"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

gp::Secret database_url() { return gp::Secret(stack().database_url()); }

/// A writer as a worker has one. Commits and rings.
struct Writer {
  gp::runlog::EventWriter events{database_url()};
  gp::runlog::Doorbell doorbell{database_url()};

  void write(const std::vector<gp::project::Step>& steps) {
    const auto outcomes = events.write(steps);
    std::vector<gp::RunId> runs;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (outcomes[i] != gp::runlog::WriteOutcome::kWritten) throw std::runtime_error("a step was refused");
      runs.push_back(steps[i].run_id);
    }
    doorbell.ring(runs);
  }
};

/// Writes the next event to every run, again and again, until it is told to end them all.
class Author {
 public:
  Author(const LogRuns& runs, milliseconds period)
      : thread_([this, &runs, period](const std::stop_token& stop) { write(runs, period, stop); }) {}
  void end_all() { thread_.request_stop(); }
  std::int64_t last_id() const { return last_id_; }

 private:
  void write(const LogRuns& runs, milliseconds period, const std::stop_token& stop) {
    Writer writer;
    bool is_last = false;
    while (!is_last) {
      is_last = stop.stop_requested();
      const std::int64_t id = last_id_ + 1;
      std::vector<gp::project::Step> steps;
      for (std::size_t run = 0; run < runs.size(); ++run) {
        steps.push_back(is_last ? runs.last_step(run, id) : runs.step(run, id));
        if (steps.size() == 20 || run + 1 == runs.size()) writer.write(std::exchange(steps, {}));
      }
      last_id_ = id;
      if (!is_last) std::this_thread::sleep_for(period);
    }
  }

  std::atomic<std::int64_t> last_id_ = 0;
  std::jthread thread_;
};

CrowdOptions quick_browsers() {
  CrowdOptions options;
  options.retry = milliseconds(300);
  return options;
}

double stored_events() { return metric("generate_project_spool_events_stored_total"); }
double replayed_from_spool() { return metric(R"(generate_project_events_replayed_total{source="spool"})"); }

/// What was served is kept a moment later: `replay` is repeated until all its `events` come from the spool.
void wait_until_kept(double events, const std::function<void()>& replay) {
  const auto is_kept = [&] {
    const double before = replayed_from_spool();
    replay();
    return replayed_from_spool() == before + events;
  };
  BOOST_REQUIRE(support::wait_until(is_kept, seconds(20)));
}

int child_of(const std::string& pool) {
  return std::stoi(support::run_or_throw(fmt::format("pgrep -P {}", stack().pid_of(pool))));
}

/// A session of the database that stands still, from construction to destruction.
class Frozen {
 public:
  explicit Frozen(const std::string& application_name)
      : pid_(gp::pg::Session(database_url(), "test")
                 .run({"find_session", "SELECT pid FROM pg_stat_activity WHERE application_name = $1"},
                      {application_name})
                 .number(0, "pid")) {
    ::kill(static_cast<pid_t>(pid_), SIGSTOP);
  }
  ~Frozen() { ::kill(static_cast<pid_t>(pid_), SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  std::int64_t pid_;
};

/// Two thousand clients follow two hundred runs; in the middle something happens to the service. However it
/// was cut, each client ends up with exactly 1..n.
template <class Disturb>
std::uint64_t reconnects_through(const Disturb& disturb) {
  const LogRuns runs(database_url(), kStreams / kPerRun);
  Crowd crowd(stack().port(), quick_browsers());
  for (std::size_t i = 0; i < kStreams; ++i) crowd.add(runs.target(i % runs.size()));
  Author author(runs, milliseconds(500));
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().open == kStreams; }, seconds(60)));
  disturb();
  const std::int64_t reached = author.last_id();
  crowd.run_until([&] { return author.last_id() >= reached + 6; }, seconds(30));
  author.end_all();
  const bool all_done = crowd.run_until([&] { return crowd.totals().done == kStreams; }, seconds(90));
  BOOST_TEST(all_done, fmt::format("{} of {} clients have their last event", crowd.totals().done, kStreams));
  BOOST_TEST(crowd.totals().is_exact());
  BOOST_TEST(crowd.totals().refused == 0u);
  for (std::size_t i = 0; i < kStreams; ++i) {
    const auto client = crowd.client(i);
    if (client.last_id == author.last_id() && client.events == static_cast<std::uint64_t>(client.last_id))
      continue;
    BOOST_TEST(client.last_id == author.last_id(), "client " << i << " has " << client.events << " events");
  }
  return crowd.totals().reconnects;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(a_stream_process_that_is_killed_costs_its_clients_no_event) {
  BOOST_TEST(reconnects_through([] { ::kill(child_of("events"), SIGKILL); }) >= kStreams);
}

BOOST_AUTO_TEST_CASE(a_stream_process_that_is_told_to_stop_costs_its_clients_no_event) {
  BOOST_TEST(reconnects_through([] { ::kill(child_of("events"), SIGTERM); }) >= kStreams);
}

BOOST_AUTO_TEST_CASE(a_reload_of_the_handler_costs_its_clients_no_event) {
  BOOST_TEST(reconnects_through([] { ::kill(stack().pid_of("events"), SIGHUP); }) >= kStreams);
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_handler_costs_its_clients_no_event) {
  BOOST_TEST(reconnects_through([] { stack().restart("events"); }) >= kStreams);
}

BOOST_AUTO_TEST_CASE(a_database_that_does_not_answer_holds_up_no_reload_of_the_handler) {
  const LogRuns runs(database_url(), 1);
  Writer().write({runs.step(0, 1)});
  support::EventStream former(stack().port(), runs.target(0));
  BOOST_TEST(former.next()->id == 1);
  const Frozen frozen("generate-project events");
  const support::EventStream asking(stack().port(), runs.target(0), {{"Last-Event-ID", "1"}});
  const auto begun = gp::steady_now();
  ::kill(stack().pid_of("events"), SIGHUP);
  BOOST_TEST(!former.next().has_value());
  support::EventStream fresh(stack().port(), runs.target(0));
  BOOST_TEST(fresh.next()->id == 1);
  BOOST_TEST((gp::steady_now() - begun < seconds(4)));
}

BOOST_AUTO_TEST_CASE(a_reload_of_nginx_cuts_nobody) {
  BOOST_TEST(reconnects_through([] { ::kill(stack().pid_of("nginx"), SIGHUP); }) == 0u);
}

BOOST_AUTO_TEST_CASE(an_nginx_worker_that_is_killed_costs_its_clients_no_event) {
  reconnects_through([] {
    const std::string workers = support::run_or_throw(fmt::format("pgrep -P {}", stack().pid_of("nginx")));
    ::kill(std::stoi(workers), SIGKILL);
  });
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_database_costs_nobody_an_event_and_cuts_nobody) {
  const std::size_t count = kStreams / 4;
  const LogRuns runs(database_url(), count / kPerRun);
  Crowd crowd(stack().port(), quick_browsers());
  for (std::size_t i = 0; i < count; ++i) crowd.add(runs.target(i % runs.size()));
  const auto write_to_all = [&](std::int64_t id, bool is_last) {
    Writer writer;
    for (std::size_t run = 0; run < runs.size(); ++run)
      writer.write({is_last ? runs.last_step(run, id) : runs.step(run, id)});
  };
  write_to_all(1, false);
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().events == count; }, seconds(60)));
  stack().stop_database();
  crowd.run_for(seconds(3));
  BOOST_TEST(crowd.totals().open == count);
  stack().start_database();
  write_to_all(2, false);
  write_to_all(3, true);
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().done == count; }, seconds(60)));
  BOOST_TEST(crowd.totals().events == 3 * count);
  BOOST_TEST(crowd.totals().is_exact());
  BOOST_TEST(crowd.totals().reconnects == 0u);
}

BOOST_AUTO_TEST_CASE(a_finished_run_that_was_served_here_is_replayed_without_the_database) {
  const LogRuns runs(database_url(), 20);
  Writer writer;
  for (std::size_t run = 0; run < runs.size(); ++run)
    writer.write({runs.step(run, 1), runs.step(run, 2), runs.step(run, 3), runs.last_step(run, 4)});
  const double stored = stored_events();
  const auto replay_all = [&](std::int64_t cursor) {
    Crowd crowd(stack().port(), quick_browsers());
    for (std::size_t i = 0; i < 200; ++i) crowd.add(runs.target(i % runs.size()), cursor);
    BOOST_TEST(crowd.run_until([&] { return crowd.totals().done == 200; }, seconds(30)));
    BOOST_TEST(crowd.totals().is_exact());
    BOOST_TEST(crowd.totals().events == 200u * static_cast<std::uint64_t>(4 - cursor));
  };
  wait_until_kept(200 * 4, [&] { replay_all(0); });
  BOOST_TEST(stored_events() >= stored + 80);
  const double reads = metric("generate_project_catch_up_reads_total");
  const double replayed = replayed_from_spool();
  for (std::int64_t cursor = 0; cursor < 4; ++cursor) replay_all(cursor);
  BOOST_TEST(metric("generate_project_catch_up_reads_total") == reads);
  BOOST_TEST(replayed_from_spool() == replayed + 200 * (4 + 3 + 2 + 1));

  stack().stop_database();
  replay_all(2);
  support::EventStream done(stack().port(), runs.target(0), {{"Last-Event-ID", "4"}});
  BOOST_TEST(done.reply().status == 204);
  stack().start_database();
}

BOOST_AUTO_TEST_CASE(an_open_run_is_replayed_while_the_database_is_away_and_goes_on_when_it_is_back) {
  const LogRuns runs(database_url(), 1);
  const double stored = stored_events();
  Writer().write({runs.step(0, 1), runs.step(0, 2)});
  wait_until_kept(2, [&] {
    support::EventStream first(stack().port(), runs.target(0));
    BOOST_TEST(first.next()->id == 1);
    BOOST_TEST(first.next()->id == 2);
  });
  BOOST_TEST(stored_events() >= stored + 2);
  stack().stop_database();
  support::EventStream stream(stack().port(), runs.target(0));
  BOOST_TEST(stream.reply().status == 200);
  BOOST_TEST(stream.next()->id == 1);
  BOOST_TEST(stream.next()->id == 2);
  BOOST_TEST(stream.wait_for_text("unavailable", seconds(10)), stream.raw());
  BOOST_TEST(stream.wait_for_text(": ka\n", seconds(10)));
  const auto poll = stack().get("/events?run_id=" + runs.id(0) + "&after=1");
  BOOST_TEST(poll.status == 200);
  BOOST_TEST(poll.json().at("last_event_id") == 2);
  BOOST_TEST(stack().get("/events?run_id=" + runs.id(0) + "&after=2").status == 503);
  stack().start_database();
  Writer().write({runs.last_step(0, 3)});
  BOOST_TEST(stream.next()->id == 3);
  BOOST_TEST(!stream.next().has_value());
}

BOOST_AUTO_TEST_CASE(more_streams_than_there_is_room_for_are_refused_and_nothing_else_is) {
  const LogRuns runs(database_url(), 10);
  Writer writer;
  for (std::size_t run = 0; run < runs.size(); ++run) writer.write({runs.step(run, 1)});
  Crowd crowd(stack().port(), quick_browsers());
  for (std::size_t i = 0; i < kRoom; ++i) crowd.add(runs.target(i % runs.size()));
  BOOST_TEST(crowd.run_until([&] { return crowd.totals().events == kRoom; }, seconds(60)));
  const auto refused = stack().get(runs.target(0));
  BOOST_TEST(refused.status == 503);
  BOOST_TEST(refused.json().at("code") == "too_many_streams");
  BOOST_TEST(!refused.header("retry-after").empty());
  for (int i = 0; i < 50; ++i) BOOST_TEST(stack().get("/health").status == 200);
  BOOST_TEST(stack().post_start(support::start_body("beside_many_streams")).status == 202);
  const auto shows_all = [] { return metric("generate_project_streams_open") == static_cast<double>(kRoom); };
  BOOST_TEST(crowd.run_until(shows_all, seconds(10)));
  crowd.release(0);
  const auto has_room = [&] { return stack().get("/events?run_id=" + runs.id(0)).status == 200; };
  BOOST_TEST(crowd.run_until(has_room, seconds(20)));
}

BOOST_AUTO_TEST_SUITE_END()
