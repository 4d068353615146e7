// What arrives from the LLM while PostgreSQL is away: nothing of it is lost, asked for again, doubled or out
// of order. GP_OUTAGE_S sets how long the long outage lasts: 15 s unless told otherwise, two minutes by hand.

#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/spool/file_lock.h"
#include "tests/fault/witness.h"
#include "tests/support/crowd.h"
#include "tests/support/wait.h"

using e2e::OnStack;
using fault::Follower;
using fault::sql;
using fault::stack;
using gp::Json;
using std::chrono::seconds;
using support::start_body;
using support::wait_until;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRuns = 8;
#else
constexpr int kRuns = 20;
#endif

struct Settings {
  Settings() {
    OnStack::settings = {{"SSE_KEEPALIVE_S", "1"}, {"LEASE_S", "4"},          {"LEASE_BEAT_S", "1"},
                         {"LOST_AFTER_S", "60"},   {"WORKER_PROCESSES", "2"}, {"WORKER_DRAIN_S", "4"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

seconds outage() {
  const char* given = std::getenv("GP_OUTAGE_S");
  return seconds(given == nullptr ? 15 : std::atoi(given));
}

/// Several runs with a browser on each that notes what it gets.
class Watched {
 public:
  Watched(const std::string& name, int count, double tokens_per_second) : name_(name) {
    stack().set_rate(name, tokens_per_second);
    for (int i = 0; i < count; ++i) {
      bodies_.push_back(start_body(fmt::format("{}_{:02}", name, i)));
      ids_.push_back(stack().start(bodies_.back()));
      crowd_.add("/events/stream?run_id=" + ids_.back());
    }
    events_.resize(ids_.size());
  }

  const std::vector<std::string>& ids() const { return ids_; }

  /// Until every run has an event of this name.
  bool run_until_each_has(const std::string& event, seconds patience) {
    return crowd_.run_until(
        [&] {
          return std::ranges::all_of(events_, [&](const auto& events) {
            return std::ranges::any_of(events, [&](const auto& each) { return each.name == event; });
          });
        },
        patience);
  }
  void run_for(seconds time) { crowd_.run_for(time); }

  /// To the end of all runs; then everything must be as if nothing had happened.
  void complete(seconds patience) {
    BOOST_TEST(crowd_.run_until([&] { return crowd_.totals().done == ids_.size(); }, patience));
    BOOST_TEST(crowd_.totals().is_exact());
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      BOOST_REQUIRE(!events_[i].empty());
      BOOST_TEST(events_[i].back().name == "run_completed");
      e2e::check_consistent(bodies_[i], ids_[i], events_[i]);
      fault::check_csv(ids_[i]);
    }
  }

  std::string in_runs(const std::string& expression) const {
    return sql(
        fmt::format("SELECT {} FROM generation_runs WHERE project_id LIKE '{}\\_%'", expression, name_));
  }

  /// Each section was sent by the LLM once.
  void check_asked_once() const { BOOST_TEST(stack().calls(name_).size() == ids_.size()); }

 private:
  support::CrowdOptions options() {
    support::CrowdOptions options;
    options.retry = std::chrono::milliseconds(300);
    options.on_event = [this](const support::CrowdEvent& event) {
      events_[event.client].push_back(
          {event.id, std::string(event.name), gp::parse_json(std::string(event.data))});
    };
    return options;
  }

  std::string name_;
  std::vector<Json> bodies_;
  std::vector<std::string> ids_;
  std::vector<std::vector<support::StreamEvent>> events_;
  support::Crowd crowd_{stack().port(), options()};
};

/// The whole pool's children; their master makes new ones.
void kill_workers() {
  for (const int pid : support::children_of(stack().pid_of("worker"))) ::kill(pid, SIGKILL);
}

bool has_ended(const std::string& run_id) {
  return stack().log_of("worker").find("run_ended run_id=" + run_id) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outbox)

BOOST_AUTO_TEST_CASE(an_outage_in_the_middle_of_twenty_generations_loses_repeats_and_asks_nothing) {
  Watched runs("twenty", kRuns, 350);
  BOOST_TEST(runs.run_until_each_has("section_started", seconds(60)));
  stack().stop_database();
  runs.run_for(outage());  // several leases long: owners have one of grace when it is back
  stack().start_database();
  runs.complete(seconds(90));
  runs.check_asked_once();
  BOOST_TEST(runs.in_runs("max(takes)") == "1");
  BOOST_TEST(wait_until([] { return fault::outbox_rows() == 0; }, seconds(10)));
  for (const std::string& id : runs.ids()) BOOST_TEST(fault::rows_of(id, "llm_call") == 1);
  // One call each, so the sum in the log is the sum in the database.
  BOOST_TEST(
      runs.in_runs("count(*) FILTER (WHERE prompt_tokens > 0 AND completion_tokens > 0 AND llm_calls = 1)") ==
      std::to_string(runs.ids().size()));
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_killed_after_the_whole_answer_came_leaves_nothing_to_ask) {
  Watched runs("whole_reply", 6, 1500);
  BOOST_TEST(runs.run_until_each_has("run_started", seconds(60)));
  stack().stop_database();
  BOOST_TEST(wait_until([&] { return std::ranges::all_of(runs.ids(), has_ended); }, seconds(60)));
  kill_workers();
  stack().start_database();
  runs.complete(seconds(60));
  // Whose lease has expired meanwhile may be taken up by the other worker, before its slot has shipped it.
  runs.check_asked_once();
}

BOOST_AUTO_TEST_CASE(
    what_a_killed_worker_had_in_the_outbox_is_shipped_before_its_successor_asks_for_the_rest) {
  const Json body = start_body("outbox_first");
  stack().set_rate("outbox_first", 400);
  const std::string run_id = stack().start(body);
  Follower follower(run_id);
  follower.read_to("plan_completed");
  stack().stop_database();
  const auto has_two_sections = [&] { return fault::spooled_events(run_id, "section_completed") == 2; };
  BOOST_REQUIRE(wait_until(has_two_sections, seconds(60)));
  BOOST_REQUIRE(::kill(fault::worker_of(run_id), SIGKILL) == 0);
  stack().set_rate("outbox_first", 5000);
  stack().start_database();
  follower.read_to("run_started");
  const auto kept = follower.events().back().data.at("resumed_sections").get<std::vector<std::string>>();
  BOOST_TEST(kept.size() >= 2u);  // they were in the spool alone
  follower.read_to_end();
  BOOST_TEST(follower.events().back().name == "run_completed");
  e2e::check_consistent(body, run_id, follower.events());
  const auto calls = stack().calls("outbox_first");
  BOOST_REQUIRE(calls.size() == 2u);
  BOOST_TEST(fault::wanted_by(calls[1]).size() + kept.size() == 3u);
  BOOST_TEST(sql(fmt::format("SELECT takes FROM generation_runs WHERE run_id = '{}'", run_id)) == "2");
}

BOOST_AUTO_TEST_CASE(what_waits_in_the_outbox_of_a_worker_that_sleeps_is_taken_up_by_its_successor) {
  const Json body = start_body("asleep");
  stack().set_rate("asleep", 1500);
  const std::string run_id = stack().start(body);
  Follower follower(run_id);
  follower.read_to("run_started");
  stack().stop_database();
  BOOST_REQUIRE(wait_until([&] { return has_ended(run_id); }, seconds(60)));
  const int sleeper = fault::worker_of(run_id);
  BOOST_REQUIRE(::kill(sleeper, SIGSTOP) == 0);
  stack().start_database();
  follower.read_to_end();
  BOOST_REQUIRE(::kill(sleeper, SIGCONT) == 0);
  BOOST_TEST(follower.events().back().name == "run_completed");
  e2e::check_consistent(body, run_id, follower.events());
  BOOST_TEST(fault::worker_of(run_id) != sleeper);
  BOOST_TEST(stack().calls("asleep").size() == 1u);  // the answer was in the spool
  BOOST_TEST(fault::rows_of(run_id, "llm_call") == 1);
}

BOOST_AUTO_TEST_CASE(a_spool_that_a_stopped_process_keeps_locked_is_done_without_and_costs_no_lease) {
  Watched runs("locked", kRuns, 350);
  BOOST_TEST(runs.run_until_each_has("section_started", seconds(60)));
  gp::spool::FileLock lock(stack().folder() + "/state/spool/spool.db.lock");
  {
    const gp::spool::FileLock::Hold hold(lock, seconds(5));
    runs.complete(seconds(60));  // without it the last one ended after a minute and a half
  }
  runs.check_asked_once();
  BOOST_TEST(runs.in_runs("max(takes)") == "1");
  BOOST_TEST(wait_until([] { return fault::outbox_rows() == 0; }, seconds(10)));
}

BOOST_AUTO_TEST_CASE(tokens_and_cost_add_up_over_the_calls_of_a_run_and_each_has_its_row) {
  const Json body = start_body("adds_up");
  stack().arm({{"fault", "constraint"}, {"match", "adds_up"}, {"times", 1}});
  const std::string run_id = stack().start(body);
  Follower follower(run_id);
  follower.read_to_end();
  BOOST_TEST(follower.events().back().name == "run_completed");
  const std::size_t calls = stack().calls("adds_up").size();
  BOOST_TEST(calls == 2u);
  std::int64_t prompt = 0;
  std::int64_t completion = 0;
  for (const auto& row : fault::csv_of(run_id)) {
    if (row.size() != 12 || row[2] != "llm_call") continue;
    prompt += std::stoll(row[5]);
    completion += std::stoll(row[6]);
  }
  BOOST_TEST(fault::rows_of(run_id, "llm_call") == static_cast<long>(calls));
  BOOST_TEST(sql(fmt::format(
                 "SELECT prompt_tokens || ' ' || completion_tokens || ' ' || llm_calls FROM generation_runs "
                 "WHERE run_id = '{}'",
                 run_id)) == fmt::format("{} {} {}", prompt, completion, calls));
}

BOOST_AUTO_TEST_CASE(nothing_is_left) {
  BOOST_TEST(wait_until([] { return fault::outbox_rows() == 0; }, seconds(10)));
  BOOST_TEST(sql("SELECT count(*) FROM generation_runs WHERE lease_token IS NOT NULL") == "0");
  BOOST_TEST(stack().sanitizer_reports() == "");
}

BOOST_AUTO_TEST_SUITE_END()
