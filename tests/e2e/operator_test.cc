// The operator's side: readiness, schema versions met by the real handlers, retention, and the command line.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/runlog/schema.h"
#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::seconds;
using support::start_body;
namespace fs = std::filesystem;

namespace {

struct Settings {
  support::TempFolder folder;
  std::string blocklist = folder.path() + "/blocklist";
  Settings() {
    write_blocklist("+kumquat\n");
    OnStack::settings = {{"WORKER_PROCESSES", "1"}, {"BLOCKLIST_FILE", blocklist}};
  }
  void write_blocklist(const std::string& lines) const { std::ofstream(blocklist) << lines; }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

const std::string kPrograms = std::string(GP_BUILD_DIR) + "/handlers/";

/// What the stack's own processes were started with, for programs that the test starts.
std::map<std::string, std::string> environment(const std::string& database_url) {
  return {{"DATABASE_URL", database_url},
          {"OPENAI_API_KEY", "sk-hunter2"},
          {"GP_ETC_DIR", "/nonexistent"},
          {"SPOOL_PATH", stack().folder() + "/state/spool/spool.db"},
          {"CSV_LOG_DIR", stack().folder() + "/state/logs"},
          {"RETENTION_S", "86400"}};
}

support::Outcome program(const std::string& arguments) {
  return support::run(kPrograms + "generate-project " + arguments, environment(stack().database_url()));
}

void script(const std::string& sql) {
  gp::pg::Session(gp::Secret(stack().database_url()), "test").run_script(sql);
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string status_of(const Json& ready, const char* check) {
  return ready.at("checks").at(check).at("status").get<std::string>();
}

/// /health/ready once `holds` of its answer, within 30 s; the last answer otherwise.
template <class Condition>
support::Reply ready_once(const Condition& holds) {
  const auto deadline = gp::steady_now() + seconds(30);
  auto reply = stack().get("/health/ready");
  while (!holds(reply) && gp::steady_now() < deadline) {
    support::run("sleep 0.1");
    reply = stack().get("/health/ready");
  }
  return reply;
}

support::Reply ready_when(int status) {
  return ready_once([&](const support::Reply& reply) { return reply.status == status; });
}

/// A database of the stack's server without our tables.
struct EmptyDatabase {
  std::string url = stack().database_url();
  EmptyDatabase() {
    script("CREATE DATABASE empty");
    url.replace(url.find("///postgres?"), 12, "///empty?");
  }
  ~EmptyDatabase() { script("DROP DATABASE empty WITH (FORCE)"); }
  EmptyDatabase(const EmptyDatabase&) = delete;
  EmptyDatabase& operator=(const EmptyDatabase&) = delete;
};

/// A run that has ended, and whose end is made to lie two days back.
std::string old_run(const std::string& name) {
  const std::string run_id = stack().start(start_body(name));
  BOOST_REQUIRE(stack().follow(run_id).back().name == "run_completed");
  script(fmt::format("UPDATE generation_runs SET finished_at = now() - interval '2 days' WHERE run_id = '{}'",
                     run_id));
  return run_id;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(operation)

// Reload
// -------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_blocklist_that_is_wrong_is_refused_at_a_reload_and_costs_nothing) {
  const auto start_about = [](const std::string& topic) {
    Json body = start_body("blocklist-" + gp::make_uuid());
    body["topic"] = topic;
    return stack().post_start(body).status;
  };
  const auto reload = [] { ::kill(stack().pid_of("start"), SIGHUP); };
  const auto within_half_a_minute = [](const auto& condition) {
    for (int i = 0; i < 300 && !condition(); ++i) support::run("sleep 0.1");
    return condition();
  };
  BOOST_TEST(start_about("Kumquat") == 422);
  settings_before_the_stack.write_blocklist("+kumquat\n+\n");
  reload();
  BOOST_TEST(within_half_a_minute([] { return holds(stack().log_of("start"), "reload_refused"); }));
  BOOST_TEST(holds(stack().log_of("start"), "line 2"), stack().log_of("start"));
  support::run_or_throw(fmt::format("pkill -KILL -P {}", stack().pid_of("start")));
  BOOST_TEST(
      within_half_a_minute([&] { return start_about("Kumquat") == 422; }));  // whoever takes their place
  settings_before_the_stack.write_blocklist("+durian\n");
  reload();
  BOOST_TEST(within_half_a_minute([&] { return start_about("Durian") == 422; }));
  BOOST_TEST(within_half_a_minute([&] { return start_about("Kumquat") == 202; }));
}

// Readiness
// -------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_sound_host_is_ready_and_says_why) {
  const auto reply = ready_when(200);
  BOOST_REQUIRE(reply.status == 200);
  const Json ready = reply.json();
  BOOST_TEST(ready.at("ok") == true);
  for (const char* check : {"postgres", "schema", "spool", "listener", "workers", "queue"})
    BOOST_TEST(status_of(ready, check) == "ok", reply.body);
  BOOST_TEST(ready.at("checks").at("workers").at("processes") == 1);
  BOOST_TEST(reply.header("cache-control") == "no-store");
}

BOOST_AUTO_TEST_CASE(a_database_that_is_stopped_is_named_and_the_host_is_ready_again_when_it_is_back) {
  stack().stop_database();
  // Another of the checks that need it may be the first to fail.
  const auto reply =
      ready_once([](const support::Reply& each) { return status_of(each.json(), "postgres") == "fail"; });
  BOOST_TEST(reply.status == 503);
  BOOST_TEST(status_of(reply.json(), "postgres") == "fail");
  BOOST_TEST(!holds(reply.body, stack().folder()));  // no address of the database
  BOOST_TEST(stack().get("/health").status == 200);
  stack().start_database();
  BOOST_TEST(ready_when(200).status == 200);
}

BOOST_AUTO_TEST_CASE(a_database_that_hangs_delays_neither_answer) {
  const std::string server =
      support::run_or_throw(fmt::format("awk '{{print $1}}' {}/postgres/run/postgres.pid", stack().folder()));
  const std::string all = fmt::format("{0} $(pgrep -P {0})", std::stoi(server));
  BOOST_REQUIRE(ready_when(200).status == 200);
  support::run_or_throw("kill -STOP " + all);
  const auto begun = gp::steady_now();
  const auto reply = ready_when(503);
  const auto first = gp::steady_now();
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(stack().get("/health").status == 200);
    BOOST_TEST(stack().get("/health/ready").status == 503);
  }
  const auto rest = gp::steady_now() - first;
  support::run_or_throw("kill -CONT " + all);
  BOOST_TEST(reply.status == 503);
  BOOST_TEST(reply.json().at("checks").at("postgres").at("detail") == "no answer in time");
  BOOST_TEST((first - begun < seconds(8)));
  BOOST_TEST((rest < seconds(8)));
  BOOST_TEST(ready_when(200).status == 200);
}

// Schema versions
// ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_pool_that_meets_a_database_without_tables_says_what_to_do_and_exits_with_78) {
  const EmptyDatabase empty;
  const support::TempFolder folder;
  auto settings = environment(empty.url);
  settings["RUNTIME_DIR"] = folder.path();
  settings["SPOOL_PATH"] = folder.path() + "/spool.db";
  const auto outcome = support::run(fmt::format("for name in start status events worker; do\n"
                                                "  (timeout 60 {}gp-$name; echo \"$name ended with $?\") &\n"
                                                "done\nwait",
                                                kPrograms),
                                    settings);
  for (const char* name : {"start", "status", "events", "worker"})
    BOOST_TEST(holds(outcome.output, fmt::format("{} ended with 78", name)), outcome.output);
  BOOST_TEST(holds(outcome.output, "run 'generate-project migrate'"));
}

BOOST_AUTO_TEST_CASE(a_newer_schema_that_only_adds_disturbs_nobody_and_one_that_does_not_ends_new_processes) {
  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (900, 'adds', 1)");
  stack().restart("status");
  const std::string run_id = stack().start(start_body("beside_newer"));
  BOOST_TEST(stack().follow(run_id).back().name == "run_completed");
  BOOST_TEST(ready_when(200).status == 200);
  const auto nothing = program("migrate");
  BOOST_TEST(nothing.exit_code == 0);
  BOOST_TEST(nothing.output == "schema version 900\n");
  BOOST_TEST(program("migrate --check").output == "nothing to apply: schema version 900\n");

  script("INSERT INTO generation_schema (version, name, compatible_from) VALUES (901, 'drops', 901)");
  const auto reply = ready_when(503);
  BOOST_TEST(status_of(reply.json(), "schema") == "fail");
  const support::TempFolder folder;
  auto settings = environment(stack().database_url());
  settings["RUNTIME_DIR"] = folder.path();
  const auto outcome = support::run(fmt::format("timeout 60 {}gp-status", kPrograms), settings);
  BOOST_TEST(outcome.exit_code == 78);
  BOOST_TEST(holds(outcome.output, "install the newer version"), outcome.output);
  BOOST_TEST(program("migrate").exit_code == 78);
  BOOST_TEST(program("migrate --check").exit_code == 78);

  script("DELETE FROM generation_schema WHERE version >= 900");
  BOOST_TEST(ready_when(200).status == 200);
}

BOOST_AUTO_TEST_CASE(migrate_tells_what_it_would_do_and_does_it_once) {
  const EmptyDatabase empty;
  const auto migrate = [&](const std::string& option) {
    return support::run(fmt::format("{}generate-project migrate {}", kPrograms, option),
                        environment(empty.url));
  };
  BOOST_TEST(holds(migrate("--dry-run").output, "would apply 0001_create_runs_and_events"));
  BOOST_TEST(migrate("--check").exit_code == 1);
  BOOST_TEST(holds(migrate("").output, "applied 0001_create_runs_and_events"));
  BOOST_TEST(migrate("--check").exit_code == 0);
  BOOST_TEST(holds(migrate("--dry-run").output, "nothing to apply"));
}

// Retention
// -------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(prune_removes_old_runs_everywhere_and_their_streams_answer_410) {
  const std::string old_id = old_run("pruned");
  const std::string young_id = stack().start(start_body("kept"));
  BOOST_REQUIRE(stack().follow(young_id).back().name == "run_completed");
  const Json document = stack().status("pruned");
  const std::string logs = stack().folder() + "/state/logs/";
  BOOST_REQUIRE(fs::exists(logs + old_id + ".csv"));

  const std::string foretold = program("prune --dry-run").output;
  BOOST_TEST(holds(foretold, "of 1 runs from the database"), foretold);
  BOOST_TEST(holds(foretold, "would remove the CSV logs of 1 runs"), foretold);
  BOOST_TEST(holds(foretold, "would remove the cached events of 1 runs"), foretold);
  BOOST_TEST(fs::exists(logs + old_id + ".csv"));
  BOOST_TEST(stack().get("/events?run_id=" + old_id).status == 200);
  const auto outcome = program("prune");
  BOOST_TEST(outcome.exit_code == 0, outcome.output);
  BOOST_TEST(holds(outcome.output, "removed the CSV logs of 1 runs"), outcome.output);
  BOOST_TEST(holds(outcome.output, "removed the cached events of 1 runs"), outcome.output);

  BOOST_TEST(stack().get("/events/stream?run_id=" + old_id).status == 410);
  BOOST_TEST(stack().get("/events?run_id=" + old_id).status == 410);
  BOOST_TEST(!fs::exists(logs + old_id + ".csv"));
  BOOST_TEST(!fs::exists(logs + old_id));
  BOOST_TEST((stack().status("pruned") == document));
  BOOST_TEST(stack().follow(young_id).back().name == "run_completed");
  BOOST_TEST(fs::exists(logs + young_id + ".csv"));
  BOOST_TEST(holds(program("prune").output, "removed 0 events of 0 runs"));
}

/// Events that were served a moment ago may reach the host's cache after a first prune; the next one takes
/// them.
void prune_until_gone(const std::string& run_id) {
  const auto deadline = gp::steady_now() + std::chrono::seconds(20);
  do {
    BOOST_REQUIRE(program("prune").exit_code == 0);
    if (stack().get("/events/stream?run_id=" + run_id).status == 410) return;
  } while (gp::steady_now() < deadline);
  BOOST_FAIL("its events are still served");
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_and_was_pruned_begins_anew_under_another_id) {
  stack().arm({{"fault", "bad_key"}, {"match", "pruned_error"}});
  const Json body = start_body("pruned_error");
  const std::string former = stack().start(body);
  BOOST_REQUIRE(stack().follow(former).back().name == "error");
  script(fmt::format("UPDATE generation_runs SET finished_at = now() - interval '2 days' WHERE run_id = '{}'",
                     former));
  prune_until_gone(former);
  const auto reply = stack().post_start(body);
  BOOST_TEST(reply.status == 202);
  const std::string run_id = reply.json().at("run_id").get<std::string>();
  BOOST_TEST(run_id != former);
  const auto events = stack().follow(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().name == "run_completed");
  BOOST_TEST(stack().get("/runs/" + former).status == 404);
}

BOOST_AUTO_TEST_CASE(nothing_is_pruned_where_the_retention_is_0) {
  const std::string run_id = old_run("for_ever");
  auto settings = environment(stack().database_url());
  settings["RETENTION_S"] = "0";
  const auto outcome = support::run(kPrograms + "generate-project prune", settings);
  BOOST_TEST(holds(outcome.output, "all runs are kept"), outcome.output);
  BOOST_TEST(stack().follow(run_id).back().name == "run_completed");
}

// The command line
// ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(runs_are_listed_newest_first_and_never_with_an_address) {
  const std::string first = stack().start(start_body("listed_first"));
  const std::string second = stack().start(start_body("listed_second"));
  stack().follow(first);
  stack().follow(second);
  const auto listed = program("runs --state complete --limit 2");
  BOOST_TEST(listed.output.find(second) < listed.output.find(first), listed.output);
  const auto json = program("runs --limit 1 --json");
  const Json run = gp::parse_json(json.output.substr(0, json.output.find('\n')));
  BOOST_TEST(run.at("run_id") == second);
  BOOST_TEST(run.at("state") == "complete");
  BOOST_TEST(!holds(listed.output + json.output, "@"));
  BOOST_TEST(program("runs --state wrong").exit_code == 64);
}

BOOST_AUTO_TEST_CASE(a_run_is_followed_on_the_command_line_with_its_progress) {
  const std::string run_id = stack().start(start_body("operation_tail"));
  const auto followed = program("tail " + run_id);
  BOOST_TEST(followed.exit_code == 0);
  BOOST_TEST(holds(followed.output, "[######              ] 1 of 3 sec_01"));
  BOOST_TEST(holds(followed.output, "[####################] 3 of 3 sec_03"));
  BOOST_TEST(holds(followed.output, "run_completed"));
  const auto json = program("tail --json " + run_id);
  BOOST_TEST(holds(json.output, R"("event":"run_completed")"));
}

BOOST_AUTO_TEST_CASE(a_run_is_cancelled_from_the_command_line_once_and_for_all) {
  stack().set_rate("stopped_by_hand", 20);
  const Json body = start_body("stopped_by_hand");
  const std::string run_id = stack().start(body);
  support::EventStream stream(stack().port(), "/events/stream?run_id=" + run_id);
  BOOST_REQUIRE(stream.next()->name == "run_started");
  const auto first = program("cancel " + run_id);
  BOOST_TEST(first.exit_code == 0, first.output);
  BOOST_TEST(first.output == "The run is being stopped.\n");
  const auto events = stack().follow(run_id);
  e2e::check_consistent(body, run_id, events);
  BOOST_TEST(events.back().data.at("code") == "cancelled");
  const auto again = program("cancel " + run_id);
  BOOST_TEST(again.exit_code == 0);
  BOOST_TEST(again.output == "The run is cancelled.\n");
  BOOST_TEST(stack().follow(run_id).size() == events.size());
}

BOOST_AUTO_TEST_CASE(a_complete_run_that_is_cancelled_stays_complete_and_a_wrong_id_is_said) {
  const std::string run_id = stack().start(start_body("too_late"));
  BOOST_REQUIRE(stack().follow(run_id).back().name == "run_completed");
  const auto late = program("cancel " + run_id);
  BOOST_TEST(late.exit_code == 0);
  BOOST_TEST(late.output == "The run was complete before it could be cancelled.\n");
  BOOST_TEST(stack().get("/runs/" + run_id).json().at("state") == "complete");

  const auto unknown = program("cancel 6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");
  BOOST_TEST(unknown.exit_code == 1);
  BOOST_TEST(unknown.output == "generate-project: there is no such run\n");
  const auto malformed = program("cancel 7");
  BOOST_TEST(malformed.exit_code == 64);
  BOOST_TEST(malformed.output == "generate-project: run_id is not a UUID\n");
  BOOST_TEST(program("cancel").exit_code == 64);
}

BOOST_AUTO_TEST_CASE(a_document_that_was_overwritten_or_removed_is_rebuilt_from_the_events) {
  const std::string run_id = stack().start(start_body("rebuilt"));
  BOOST_REQUIRE(stack().follow(run_id).back().name == "run_completed");
  const Json written = stack().status("rebuilt");

  const auto shown = program("document " + run_id);
  BOOST_TEST(shown.exit_code == 0, shown.output);
  BOOST_TEST(nlohmann::json::parse(shown.output) ==
             nlohmann::json::parse(gp::dump_json(written)));  // in any order

  for (const char* loss : {"UPDATE projects SET spec_json = '{}'", "DELETE FROM projects"}) {
    script(fmt::format("{} WHERE id = 'rebuilt'", loss));
    const auto stored = program("document --store " + run_id);
    BOOST_TEST(stored.exit_code == 0, stored.output);
    BOOST_TEST(stored.output == "The project has the run's document.\n");
    BOOST_TEST(stack().status("rebuilt") == written);
  }
}

BOOST_AUTO_TEST_CASE(a_document_is_not_stored_over_a_later_runs_nor_past_a_lock_nor_once_pruned) {
  Json body = start_body("twice");
  const std::string earlier = stack().start(body);
  BOOST_REQUIRE(stack().follow(earlier).back().name == "run_completed");
  body["chat_id"] = "another";
  const std::string later = stack().start(body);
  BOOST_REQUIRE(stack().follow(later).back().name == "run_completed");
  const auto superseded = program("document --store " + earlier);
  BOOST_TEST(superseded.exit_code == 1);
  BOOST_TEST(superseded.output == "generate-project: the project has a later run, whose document it keeps\n");
  BOOST_TEST(stack().status("twice").at("run_id") == later);
  BOOST_TEST(gp::parse_json(program("document " + earlier).output).at("run_id") == earlier);

  gp::pg::Session app(gp::Secret(stack().database_url()), "app");
  app.run_script("BEGIN; SELECT FROM projects WHERE id = 'twice' FOR UPDATE");
  const auto locked = program("document --store " + later);
  BOOST_TEST(locked.exit_code == 69);
  BOOST_TEST(holds(locked.output, "the project's row is locked by another transaction"), locked.output);
  app.run_script("ROLLBACK");

  const std::string pruned = old_run("long_ago");
  BOOST_REQUIRE(program("prune").exit_code == 0);
  const auto gone = program("document " + pruned);
  BOOST_TEST(gone.exit_code == 1);
  BOOST_TEST(holds(gone.output, "older than RETENTION_S"), gone.output);

  BOOST_TEST(program("document 6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10").exit_code == 1);
  BOOST_TEST(program("document 7").exit_code == 64);
}

BOOST_AUTO_TEST_CASE(doctor_finds_nothing_wrong_here_and_what_is_broken_elsewhere) {
  auto settings = environment(stack().database_url());
  settings["OPENAI_BASE_URL"] =
      "http://" + support::read_file(stack().folder() + "/state/run/sim-llm.address").substr(7);
  while (settings["OPENAI_BASE_URL"].ends_with('\n')) settings["OPENAI_BASE_URL"].pop_back();
  settings["OPENAI_BASE_URL"] += "/v1";
  settings["MODEL_PRIMARY"] = "simulated-gpt-5-mini";
  const auto doctor = [&] {
    return support::run(kPrograms + "generate-project doctor --json --skip nginx", settings);
  };
  const auto sound = doctor();
  BOOST_TEST(sound.exit_code == 0, sound.output);
  BOOST_TEST(!holds(sound.output, "hunter2"));
  const Json findings = gp::parse_json(sound.output).at("findings");
  for (const Json& finding : findings) BOOST_TEST(finding.at("verdict") != "fail", gp::dump_json(finding));

  settings["MODEL_PRIMARY"] = "no-such-model";
  const auto broken = doctor();
  BOOST_TEST(broken.exit_code == 1);
  BOOST_TEST(holds(broken.output, "does not know no-such-model"), broken.output);
}

BOOST_AUTO_TEST_CASE(what_the_command_line_refuses_and_what_is_not_there_have_their_exit_codes) {
  for (const char* arguments : {"sttings", "setup --dry-run --port abc", "setup --dry-run --skip-check bogus",
                                "tail 00000000-0000-4000-8000-000000000000 --after x"})
    BOOST_TEST(program(arguments).exit_code == 64, arguments);
  BOOST_TEST(program("nginx-site --enable --nginx-dir /nope").exit_code == 69);
}

BOOST_AUTO_TEST_CASE(setup_shows_its_steps_without_doing_them) {
  const auto outcome = program("setup --dry-run --port 8443");
  BOOST_TEST(outcome.exit_code == 0, outcome.output);
  for (const char* part : {"making the tables", "doctor", "nginx-site --enable", "--port 8443",
                           "systemctl enable --now generate-project.target"})
    BOOST_TEST(holds(outcome.output, part), outcome.output);
}

BOOST_AUTO_TEST_SUITE_END()

// What the command line does where something is in its way
// ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_SUITE(obstacles)

namespace {

/// A database that no worker serves, with a run in it whose worker has written one event and is gone.
struct Unserved {
  EmptyDatabase database;
  std::string run_id = gp::make_uuid();
  std::map<std::string, std::string> settings = environment(database.url);

  Unserved() {
    settings.insert({{"LEASE_S", "2"}, {"LEASE_BEAT_S", "1"}, {"LOST_AFTER_S", "1"}});
    BOOST_REQUIRE(program("migrate").exit_code == 0);
    Json request = start_body("unserved");
    request.erase("owner_email");
    sql(fmt::format(
        "INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email, state, "
        "next_event_id, "
        "lease_owner, lease_token, lease_expires_at) VALUES ('{}', 'unserved', 'unserved', '{}', 'a@b.c', "
        "'running', 2, 'gone/0', gen_random_uuid(), now() + interval '1 hour')",
        run_id, gp::dump_json(request)));
    add_event(1, "run_started", R"({"attempt":1,"model":"m","resumed_sections":[]})");
  }
  support::Outcome program(const std::string& arguments) const {
    return support::run("timeout 60 " + kPrograms + "generate-project " + arguments, settings);
  }
  void sql(const std::string& text) const {
    gp::pg::Session(gp::Secret(database.url), "test").run_script(text);
  }
  void add_event(int id, const std::string& type, const std::string& members) const {
    sql(fmt::format(
        "INSERT INTO generation_events (run_id, id, type, data) VALUES ('{}', {}, '{}', "
        "'{{\"run_id\":\"{}\",\"project_id\":\"unserved\",\"at\":\"2026-11-24T08:00:00.000Z\",{}')",
        run_id, id, type, run_id, members.substr(1)));
  }
  void end_in_error() const {
    add_event(2, "error", R"({"code":"made_up","message":"m","stage":"run","retryable":false})");
    sql("UPDATE generation_runs SET state = 'error', next_event_id = 3, lease_owner = NULL, lease_token = "
        "NULL, "
        "lease_expires_at = NULL, finished_at = now(), error_code = 'made_up'; NOTIFY generation_events");
  }
  /// Of the session that follows runs; empty where there is none.
  std::string follower() const {
    gp::pg::Session session(gp::Secret(database.url), "test");
    const auto rows = session.run({"follower",
                                   "SELECT pid::text AS pid FROM pg_stat_activity WHERE application_name = "
                                   "'generate-project events' AND datname = current_database()"});
    return rows.empty() ? "" : rows.text(0, "pid");
  }
  /// Once it is another one than `former`, within half a minute.
  std::string await_follower(const std::string& former) const {
    const auto deadline = gp::steady_now() + seconds(30);
    std::string pid = follower();
    for (; (pid.empty() || pid == former) && gp::steady_now() < deadline; pid = follower())
      support::run("sleep 0.05");
    return pid;
  }
};

/// Every file of a folder, with what it holds.
std::string contents_of(const std::string& folder) {
  return support::run_or_throw(fmt::format("cd '{}' && ls -la --time-style=full-iso && md5sum *", folder));
}

/// Where the stack's PostgreSQL listens: closed to whoever is neither its owner nor root.
std::string socket_folder() {
  const std::string& url = stack().database_url();
  const auto begin = url.find("host=") + 5;
  return url.substr(begin, url.find('&', begin) - begin);
}

/// What gives a command of root no more right over files than their owner has.
const std::string kAsOwner =
    ::geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner " : "";

}  // namespace

BOOST_FIXTURE_TEST_CASE(tail_ends_a_run_that_has_lost_its_worker_as_a_stream_does, Unserved) {
  sql("UPDATE generation_runs SET lease_expires_at = now() - interval '1 hour'");
  const auto followed = program("tail " + run_id);
  BOOST_TEST(followed.exit_code == 1, followed.output);
  BOOST_TEST(holds(followed.output, "worker_lost: "), followed.output);
  BOOST_TEST(holds(program("runs --state error").output, run_id));
}

BOOST_FIXTURE_TEST_CASE(tail_goes_on_after_a_lost_connection_and_judges_by_how_the_run_ended, Unserved) {
  support::Outcome followed;
  std::jthread following([&] { followed = program("tail --json " + run_id); });
  const std::string former = await_follower("");
  sql(fmt::format("SELECT pg_terminate_backend({})", former));
  BOOST_TEST(await_follower(former) != former);
  end_in_error();
  following.join();
  BOOST_TEST(followed.exit_code == 1, followed.output);
  BOOST_TEST(holds(followed.output, "trying again until the database is back"), followed.output);
  BOOST_TEST(holds(followed.output, "generate-project: the database is back"), followed.output);
  for (const char* event : {R"("id":1,"event":"run_started")", R"("id":2,"event":"error")"})
    BOOST_TEST(followed.output.find(event) == followed.output.rfind(event), followed.output);

  const auto nothing_new = program("tail " + run_id + " --after 2");
  BOOST_TEST(nothing_new.exit_code == 1);
  BOOST_TEST(nothing_new.output == "");
}

BOOST_AUTO_TEST_CASE(tail_without_a_database_from_the_beginning_gives_up_at_once) {
  auto settings = environment("postgresql:///x?host=/nonexistent");
  const auto outcome = support::run(
      fmt::format("timeout 60 {}generate-project tail {}", kPrograms, gp::make_uuid()), settings);
  BOOST_TEST(outcome.exit_code == 69, outcome.output);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_printed_is_told_and_is_no_success) {
  BOOST_REQUIRE(stack().follow(stack().start(start_body("unprinted"))).back().name == "run_completed");
  for (const char* command :
       {"runs --json", "settings", "settings --man", "--help", "--version", "prune --dry-run",
        "doctor --json --skip database --skip spool --skip log_folder --skip nginx --skip llm --skip "
        "clock"}) {
    const auto full = program(std::string(command) + " >/dev/full");
    BOOST_TEST(full.exit_code == 69, command);
    BOOST_TEST(full.output == "generate-project: cannot write the output: No space left on device\n",
               command);
    const auto closed = program(std::string(command) + " >&-");
    BOOST_TEST(closed.exit_code == 69, command);
    BOOST_TEST(closed.output == "generate-project: cannot write the output: Bad file descriptor\n", command);
  }
  const auto unread = support::run(fmt::format(
      "trap '' PIPE; (sleep 0.3; exec {}generate-project settings) | true; echo ${{PIPESTATUS[0]}}",
      kPrograms));
  BOOST_TEST(unread.output == "69\n");
}

BOOST_AUTO_TEST_CASE(a_role_that_lacks_a_right_is_told_where_to_look) {
  const EmptyDatabase empty;
  script("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN");
  const auto as_stranger = [](std::string url, const std::string& arguments) {
    url.replace(url.find("user=postgres"), 13, "user=stranger");
    return support::run(kPrograms + "generate-project " + arguments, environment(url));
  };
  const auto migrated = as_stranger(empty.url, "migrate");
  BOOST_TEST(migrated.exit_code == 69);
  BOOST_TEST(holds(migrated.output, "generate-project doctor names the rights"), migrated.output);
  for (const char* command : {"runs", "prune", "document 00000000-0000-4000-8000-000000000000"}) {
    const auto refused = as_stranger(stack().database_url(), command);
    BOOST_TEST(refused.exit_code == 69, command);
    BOOST_TEST(holds(refused.output, "permission denied"), refused.output);
  }
  script("DROP ROLE stranger");
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_removed_stops_nothing_else_of_prune) {
  const support::TempFolder folder;
  const std::string stuck = folder.path() + "/" + gp::make_uuid();
  const std::string other = folder.path() + "/" + gp::make_uuid() + ".csv";
  support::run_or_throw(
      fmt::format("mkdir {0} && touch {0}/prompt.json {1} {2}/spool.db && chmod 500 {0} && "
                  "touch -d '10 days ago' {0} {1}",
                  stuck, other, folder.path()));
  auto settings = environment(stack().database_url());
  settings["CSV_LOG_DIR"] = folder.path();
  settings["SPOOL_PATH"] = folder.path() + "/spool.db";
  support::run_or_throw(fmt::format("chmod a+rwx {0} {0}/.s.PGSQL.*", socket_folder()));
  const auto outcome = support::run(kAsOwner + kPrograms + "generate-project prune", settings);
  support::run_or_throw("chmod 700 " + stuck);
  BOOST_TEST(outcome.exit_code == 69, outcome.output);
  BOOST_TEST(holds(outcome.output, "generate-project: cannot remove " + stuck), outcome.output);
  BOOST_TEST(holds(outcome.output, "removed the CSV logs of 1 runs"), outcome.output);
  BOOST_TEST(holds(outcome.output, "removed the cached events of 0 runs"), outcome.output);
  BOOST_TEST(!fs::exists(other));
}

BOOST_AUTO_TEST_CASE(a_dry_run_of_prune_leaves_a_damaged_spool_as_it_is) {
  const support::TempFolder folder;
  std::ofstream(folder.path() + "/spool.db") << std::string(8192, 'x');
  const std::string before = contents_of(folder.path());
  auto settings = environment(stack().database_url());
  settings["SPOOL_PATH"] = folder.path() + "/spool.db";
  const auto outcome = support::run(kPrograms + "generate-project prune --dry-run", settings);
  BOOST_TEST(outcome.exit_code == 69, outcome.output);
  BOOST_TEST(holds(outcome.output, "the spool is damaged"), outcome.output);
  BOOST_TEST(contents_of(folder.path()) == before);
}

BOOST_AUTO_TEST_SUITE_END()
