// What a worker's death, sleep and stop do to the runs it has; and two pools on one spool.

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/fault/witness.h"
#include "tests/support/wait.h"

using e2e::OnStack;
using fault::Follower;
using fault::sql;
using fault::stack;
using gp::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::start_body;
using support::wait_until;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr milliseconds kTakenOverWithin{8000};  // the sanitizer makes a process start slowly
#else
constexpr milliseconds kTakenOverWithin{2000};
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

std::string of_run(const std::string& expression, const std::string& run_id) {
  return sql(fmt::format("SELECT {} FROM generation_runs WHERE run_id = '{}'", expression, run_id));
}

/// A run that has just completed its first section.
struct Begun {
  Json body;
  std::string run_id;
  Follower follower;

  Begun(const std::string& name, double tokens_per_second)
      : body(start_body(name)), run_id(begin(name, tokens_per_second)), follower(run_id) {
    follower.read_to("section_completed");
  }

  const support::StreamEvent& newest() const { return follower.events().back(); }

  /// Reads to the second run_started; the sections that its attempt keeps.
  std::vector<std::string> read_to_successor() {
    follower.read_to("run_started");
    BOOST_REQUIRE(newest().name == "run_started");
    BOOST_TEST(newest().data.at("attempt") == 1);
    return newest().data.at("resumed_sections").get<std::vector<std::string>>();
  }

  void complete() {
    follower.read_to_end();
    BOOST_TEST(newest().name == "run_completed");
    e2e::check_consistent(body, run_id, follower.events());
    fault::check_csv(run_id);
  }

 private:
  std::string begin(const std::string& name, double tokens_per_second) const {
    stack().set_rate(name, tokens_per_second);
    return stack().start(body);
  }
};

/// No section was accepted twice, by whichever worker.
void check_each_section_once(const std::string& run_id) {
  for (const char* id : {"sec_01", "sec_02", "sec_03"})
    BOOST_TEST(fault::rows_of(run_id, "section", fmt::format("sections.{} accepted", id)) == 1);
}

bool log_holds(const std::string& text) { return stack().log_of("worker").find(text) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(workers)

BOOST_AUTO_TEST_CASE(
    a_killed_workers_run_goes_on_within_two_seconds_and_no_complete_section_is_asked_for_again) {
  Begun run("killed", 600);
  BOOST_REQUIRE(::kill(fault::worker_of(run.run_id), SIGKILL) == 0);
  const auto killed = gp::steady_now();
  const auto kept = run.read_to_successor();
  const auto took = std::chrono::duration_cast<milliseconds>(gp::steady_now() - killed);
  BOOST_TEST(took.count() < kTakenOverWithin.count());
  BOOST_TEST_MESSAGE("from the kill to the successor's run_started: " << took.count() << " ms");
  BOOST_TEST(!kept.empty());
  run.complete();

  const auto calls = stack().calls("killed");
  BOOST_REQUIRE(calls.size() == 2u);
  for (const std::string& id : fault::wanted_by(calls[1]))
    BOOST_TEST((std::ranges::find(kept, id) == kept.end()));
  check_each_section_once(run.run_id);
  BOOST_TEST(fault::rows_of(run.run_id, "llm_call") == 2);
  BOOST_TEST(fault::rows_of(run.run_id, "llm_call", "interrupted") == 1);
  // What the killed call has cost nobody can know: the sums say so instead of being too small.
  BOOST_TEST(of_run("prompt_tokens IS NULL AND cost_usd IS NULL", run.run_id) == "t");
}

BOOST_AUTO_TEST_CASE(a_worker_that_slept_past_its_lease_stops_its_run_without_a_trace) {
  Begun run("slept", 500);
  const int sleeper = fault::worker_of(run.run_id);
  BOOST_REQUIRE(::kill(sleeper, SIGSTOP) == 0);
  run.read_to_successor();  // by the other one of the pool, when the lease has expired
  BOOST_TEST(fault::worker_of(run.run_id) != sleeper);
  stack().set_rate("slept", 60);  // the successor is at work for long; the first answer waits in the socket
  BOOST_REQUIRE(::kill(sleeper, SIGCONT) == 0);
  BOOST_TEST(wait_until([&] { return log_holds("lease_lost run_id=" + run.run_id); }, seconds(20)));
  stack().set_rate("slept", 5000);
  run.complete();

  BOOST_TEST(stack().calls("slept").size() == 2u);
  check_each_section_once(run.run_id);
  BOOST_TEST(fault::rows_of(run.run_id, "validate") == 1);
  BOOST_TEST(fault::rows_of(run.run_id, "run_completed") == 1);
  const std::string log_folder = fmt::format("{}/state/logs/{}", stack().folder(), run.run_id);
  BOOST_TEST(!std::filesystem::exists(log_folder + "/output.json"));  // the sleeper's
  BOOST_TEST(std::filesystem::exists(log_folder + "/output-2.json"));
  BOOST_TEST(wait_until([] { return fault::outbox_rows() == 0; }, seconds(10)));
}

BOOST_AUTO_TEST_CASE(a_worker_that_slept_less_than_its_lease_goes_on) {
  Begun run("napped", 1000);
  const int sleeper = fault::worker_of(run.run_id);
  BOOST_REQUIRE(::kill(sleeper, SIGSTOP) == 0);
  support::run("sleep 1.5");  // the lease lasts at least 3 s from here
  BOOST_REQUIRE(::kill(sleeper, SIGCONT) == 0);
  run.complete();
  BOOST_TEST(of_run("takes", run.run_id) == "1");
  BOOST_TEST(stack().calls("napped").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_worker_told_to_stop_finishes_a_run_that_is_nearly_done) {
  Begun run("drained", 1500);
  stack().restart("worker");
  run.complete();
  BOOST_TEST(of_run("takes", run.run_id) == "1");
  BOOST_TEST(stack().calls("drained").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_worker_told_to_stop_hands_a_long_run_back_and_its_successor_resumes_the_same_attempt) {
  Begun run("handed_back", 250);
  stack().restart("worker");
  stack().set_rate("handed_back", 5000);
  const auto kept = run.read_to_successor();
  BOOST_TEST(!kept.empty());
  run.complete();
  BOOST_TEST(of_run("attempt", run.run_id) == "1");
  const auto calls = stack().calls("handed_back");
  BOOST_REQUIRE(calls.size() == 2u);
  BOOST_TEST(fault::wanted_by(calls[1]).size() + kept.size() == 3u);
  BOOST_TEST(fault::rows_of(run.run_id, "llm_call") == 2);
}

BOOST_AUTO_TEST_CASE(a_new_pool_works_beside_the_workers_of_a_killed_master_and_takes_nothing_from_them) {
  Begun run("old_master", 250);
  ::kill(stack().pid_of("worker"), SIGKILL);  // its children are told to stop, and drain
  stack().restart("worker");
  BOOST_TEST(wait_until([] { return log_holds("slot_held_elsewhere"); }, seconds(10)));
  stack().set_rate("old_master", 5000);
  const Json next = start_body("new_master");
  const std::string next_id = stack().start(next);
  Follower next_follower(next_id);
  next_follower.read_to_end();  // the new pool works at once
  BOOST_TEST(next_follower.events().back().name == "run_completed");
  e2e::check_consistent(next, next_id, next_follower.events());
  run.complete();
  BOOST_TEST(of_run("takes", run.run_id) == "1");
  BOOST_TEST(stack().calls("old_master").size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_a_killed_master_and_all_its_workers_leave_is_looked_after_by_the_next_pool) {
  Begun run("whole_pool", 600);
  const int master = stack().pid_of("worker");
  const auto children = support::children_of(master);
  for (const int pid : children) ::kill(pid, SIGSTOP);  // else they would drain when their master dies
  ::kill(master, SIGKILL);
  for (const int pid : children) ::kill(pid, SIGKILL);
  stack().restart("worker");
  run.read_to_successor();
  BOOST_TEST(log_holds(fmt::format("run_taken run_id={} attempt=1 taken_over=true", run.run_id)));
  run.complete();
}

BOOST_AUTO_TEST_CASE(nothing_is_left) {
  BOOST_TEST(wait_until([] { return fault::outbox_rows() == 0; }, seconds(10)));
  BOOST_TEST(sql("SELECT count(*) FROM generation_runs WHERE lease_token IS NOT NULL") == "0");
  BOOST_TEST(stack().sanitizer_reports() == "");
}

BOOST_AUTO_TEST_SUITE_END()
