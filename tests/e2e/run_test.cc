// A whole run, as a caller sees it: events, document, replay, idempotency, logs, privacy.

#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/e2e/on_stack.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::EventStream;
using support::start_body;

namespace {

struct Settings {
  Settings() {
    OnStack::settings = {{"SSE_KEEPALIVE_S", "1"},
                         {"CSV_BASE_URL", ""},
                         {"PRICES_FILE", std::string(GP_SOURCE_DIR) + "/tests/e2e/prices.json"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

const std::vector<std::string> kWholeRun = {"run_started",       "plan_completed",    "section_started",
                                            "section_completed", "section_started",   "section_completed",
                                            "section_started",   "section_completed", "run_completed"};

std::string stream_of(const std::string& run_id) { return "/events/stream?run_id=" + run_id; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find("\r\n", at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 2;
  }
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run)

BOOST_AUTO_TEST_CASE(a_run_appears_section_by_section_while_the_llm_still_writes) {
  const Json body = start_body("run_live");
  stack().set_rate("run_live", 600);
  const std::string run_id = stack().start(body);
  EventStream stream(stack().port(), stream_of(run_id));
  BOOST_TEST(stream.reply().status == 200);
  BOOST_TEST(stream.reply().header("content-type") == "text/event-stream; charset=utf-8");
  BOOST_TEST(stream.reply().header("cache-control") == "no-store, no-transform");
  BOOST_TEST(stream.reply().count("content-length") == 0);
  std::vector<support::StreamEvent> events;
  bool was_live = false;
  while (auto event = stream.next()) {
    if (event->name == "section_completed") {
      // P1: what the stream has said, the document shows.
      const auto id = event->data.at("section_id").get<std::string>();
      const Json document = stack().status("run_live");
      BOOST_REQUIRE(document.at("sections").contains(id));
      BOOST_TEST(
          (e2e::unordered(document.at("sections").at(id)) == e2e::unordered(event->data.at("section"))));
    }
    if (event->name == "section_completed" && event->data.at("index") == 1) {
      const auto calls = stack().calls("run_live");
      was_live = calls.size() == 1 && calls.front().at("ended_at").is_null();
    }
    events.push_back(std::move(*event));
  }
  BOOST_TEST(was_live, "the first section_completed came after the LLM had ended");
  BOOST_TEST(e2e::names_of(events) == kWholeRun, boost::test_tools::per_element());
  e2e::check_consistent(body, run_id, events);
  const Json& end = events.back().data;
  BOOST_TEST(end.at("sections") == 3);
  BOOST_TEST(end.at("validator").at("ok") == true);
  BOOST_TEST(end.at("tokens").at("completion").get<int>() > 500);
  BOOST_TEST(end.at("cost_est").get<double>() > 0);
  BOOST_TEST(events[0].data.at("model") == "simulated-gpt-5-mini");
  const Json document = stack().status("run_live");
  BOOST_TEST(document.at("status") == "complete");
  BOOST_TEST(document.at("meta").at("owner_email") == "redacted@school.ae");
  BOOST_TEST(document.at("plan").at("blocklist_ok") == true);
  int minutes = 0;
  for (const Json& section : document.at("plan").at("sections"))
    minutes += section.at("constraints").at("time_min").get<int>();
  BOOST_TEST(minutes <= 45);
}

BOOST_AUTO_TEST_CASE(the_bytes_of_a_stream_follow_the_wire_rules) {
  const std::string run_id = stack().start(start_body("run_wire"));
  EventStream stream(stack().port(), stream_of(run_id));
  stream.rest();
  const std::string& raw = stream.raw();
  BOOST_TEST(raw.find('\r') == std::string::npos);
  // retry: is the first line of the first event's block: no empty line lies between.
  BOOST_TEST(raw.starts_with("retry: "));
  const std::string before_first_event = raw.substr(0, raw.find("id: 1\n"));
  BOOST_TEST(before_first_event.ends_with('\n'));
  BOOST_TEST(before_first_event.find("\n\n") == std::string::npos);
  // Comments have one line feed: no block is empty or holds only a comment.
  for (std::size_t at = raw.find(": "); at != std::string::npos; at = raw.find("\n: ", at + 1)) {
    BOOST_TEST(raw.compare(raw.find('\n', at + 1), 2, "\n\n") != 0);
  }
  BOOST_TEST(raw.ends_with("\n\n"));
}

BOOST_AUTO_TEST_CASE(replay_from_any_cursor_gives_exactly_what_follows) {
  const std::string run_id = stack().start(start_body("run_replay"));
  const auto all = stack().follow(run_id);
  BOOST_REQUIRE(all.size() == kWholeRun.size());
  for (std::size_t seen = 0; seen < all.size(); ++seen) {
    for (const auto& [header, query] :
         {std::pair{true, ""}, std::pair{false, "last_event_id"}, std::pair{false, "lastEventId"},
          std::pair{false, "starting_after"}}) {
      const std::string cursor = std::to_string(seen);
      EventStream stream(stack().port(),
                         stream_of(run_id) + (header ? "" : fmt::format("&{}={}", query, cursor)),
                         header ? support::Headers{{"Last-Event-ID", cursor}} : support::Headers{});
      const auto rest = stream.rest();
      BOOST_REQUIRE(rest.size() == all.size() - seen);
      for (std::size_t i = 0; i < rest.size(); ++i) {
        BOOST_TEST(rest[i].id == all[seen + i].id);
        BOOST_TEST(rest[i].name == all[seen + i].name);
        BOOST_TEST(gp::dump_json(rest[i].data) == gp::dump_json(all[seen + i].data));
      }
    }
  }
  const EventStream done(stack().port(), stream_of(run_id), {{"Last-Event-ID", std::to_string(all.size())}});
  BOOST_TEST(done.reply().status == 204);
  for (const char* beyond : {"10", "99999999999999999999"}) {
    EventStream stream(stack().port(), stream_of(run_id), {{"Last-Event-ID", beyond}});
    BOOST_TEST(stream.reply().status == 200);
    BOOST_TEST(stream.rest().empty());
    BOOST_TEST(stream.raw().find("beyond the end") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_cursor_that_is_garbage_replays_everything_and_says_so) {
  const std::string run_id = stack().start(start_body("run_garbage"));
  stack().follow(run_id);
  for (const char* garbage : {"abc", "-1", "1.5", "0x1"}) {
    EventStream stream(stack().port(), stream_of(run_id), {{"Last-Event-ID", garbage}});
    BOOST_TEST(stream.reply().status == 200);
    BOOST_TEST(stream.rest().size() == kWholeRun.size());
    BOOST_TEST(stream.raw().find(": ") != std::string::npos);
    BOOST_TEST(stream.raw().find("replaying from the start") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_that_reconnects_in_the_middle_misses_nothing) {
  stack().set_rate("run_reconnect", 800);
  const std::string run_id = stack().start(start_body("run_reconnect"));
  std::vector<support::StreamEvent> events;
  while (events.empty() || (events.back().name != "run_completed" && events.back().name != "error")) {
    EventStream stream(stack().port(), stream_of(run_id), {{"Last-Event-ID", std::to_string(events.size())}});
    for (int i = 0; i < 2; ++i) {  // then the client drops the connection
      if (auto event = stream.next()) events.push_back(std::move(*event));
    }
  }
  e2e::check_consistent(start_body("run_reconnect"), run_id, events);
}

BOOST_AUTO_TEST_CASE(keepalives_come_while_nothing_happens) {
  stack().arm({{"fault", "slow_start"}, {"match", "run_quiet"}, {"retry_after_s", 3}});
  const std::string run_id = stack().start(start_body("run_quiet"));
  EventStream stream(stack().port(), stream_of(run_id));
  BOOST_TEST(stream.next()->name == "run_started");
  const auto before = stream.raw().size();
  BOOST_TEST(stream.wait_for_text("plan_completed", seconds(30)));
  BOOST_TEST(stream.raw().find(": ", before) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_hundred_simultaneous_starts_are_one_run_and_one_call) {
  constexpr int kCallers = 100;
  const Json body = start_body("run_hundred");
  std::mutex mutex;
  std::multiset<int> statuses;
  std::set<std::string> runs;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        const auto reply = stack().post_start(body);
        const std::lock_guard lock(mutex);
        statuses.insert(reply.status);
        runs.insert(reply.json().value("run_id", reply.body));
      });
    }
  }
  BOOST_TEST(runs.size() == 1u);
  BOOST_TEST(statuses.count(202) == 1u);
  BOOST_TEST(statuses.count(200) == static_cast<std::size_t>(kCallers - 1));
  e2e::check_consistent(body, *runs.begin(), stack().follow(*runs.begin()));
  BOOST_TEST(stack().calls("run_hundred").size() == 1u);
}

BOOST_AUTO_TEST_CASE(many_runs_at_once_do_not_mix) {
  constexpr int kRuns = 12;
  std::vector<std::string> ids;
  for (int i = 0; i < kRuns; ++i) ids.push_back(stack().start(start_body(fmt::format("run_many_{:02}", i))));
  for (int i = 0; i < kRuns; ++i) {
    const auto events = stack().follow(ids[static_cast<std::size_t>(i)]);
    BOOST_TEST(events.back().name == "run_completed");
    e2e::check_consistent(start_body(fmt::format("run_many_{:02}", i)), ids[static_cast<std::size_t>(i)],
                          events);
  }
}

BOOST_AUTO_TEST_CASE(a_project_shows_its_latest_run) {
  Json first = start_body("run_latest");
  const std::string first_run = stack().start(first);
  stack().follow(first_run);
  Json second = first;
  second["chat_id"] = "another_chat";
  const std::string second_run = stack().start(second);
  BOOST_TEST(second_run != first_run);
  stack().follow(second_run);
  BOOST_TEST(stack().status("run_latest").at("run_id") == second_run);
  BOOST_TEST(stack().follow(first_run).size() == kWholeRun.size());  // the first one's events are still there
}

BOOST_AUTO_TEST_CASE(the_csv_log_has_a_row_for_each_stage_and_the_files_it_names) {
  const std::string run_id = stack().start(start_body("run_csv"));
  stack().follow(run_id);
  const std::string folder = stack().folder() + "/state/logs/";
  const auto lines = lines_of(support::read_file(folder + run_id + ".csv"));
  BOOST_REQUIRE(lines.size() >= 8u);
  BOOST_TEST(lines[0] ==
             "timestamp,run_id,stage,model,temperature,prompt_tokens,completion_tokens,cost_est,decision_"
             "summary,input_path,"
             "output_path,warning");
  std::vector<std::string> stages;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto from = lines[i].find(run_id) + run_id.size() + 1;
    stages.push_back(lines[i].substr(from, lines[i].find(',', from) - from));
  }
  BOOST_TEST((stages == std::vector<std::string>{"run_started", "plan", "section", "section", "section",
                                                 "llm_call", "validate", "run_completed"}));
  const Json prompt = gp::parse_json(support::read_file(folder + run_id + "/prompt.json"));
  BOOST_TEST(prompt.at(0).at("role") == "system");
  const Json output = gp::parse_json(support::read_file(folder + run_id + "/output.json"));
  BOOST_TEST(output.contains("plan"));
}

BOOST_AUTO_TEST_CASE(the_address_and_the_ids_stay_where_they_belong) {
  Json body = start_body("run_private");
  body["title"] = "call me on 050 123 4567";
  body["chat_id"] = "chat-private-77";
  const std::string run_id = stack().start(body);
  stack().follow(run_id);
  const auto calls = stack().calls("run_private");
  BOOST_REQUIRE(calls.size() == 1u);
  const std::string sent = gp::dump_json(calls.front().at("body"));
  for (const char* secret : {"huda@school.ae", "chat-private-77", "050 123 4567"}) {
    BOOST_TEST(sent.find(secret) == std::string::npos, secret);
  }
  for (const char* secret : {"huda@school.ae", "050 123 4567"}) {
    const auto found =
        support::run(fmt::format("grep -rlF '{}' {}/state/log {}/state/logs {}/state/spool", secret,
                                 stack().folder(), stack().folder(), stack().folder()));
    BOOST_TEST(found.output == "", found.output);
    const auto in_tables =
        support::run_or_throw(fmt::format("psql -qAt '{}' -c \"select count(*) from generation_events where "
                                          "data::text like '%{}%'\" -c \"select count(*) from "
                                          "projects where spec_json::text like '%{}%'\"",
                                          stack().database_url(), secret, secret));
    BOOST_TEST(in_tables == "0\n0\n");
  }
  const auto titles = support::run("ps -eo args | grep '[g]p-\\(worker\\|start\\)'").output;
  BOOST_TEST(titles.find("postgresql://") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_command_line_runs_and_follows_too) {
  const std::string program = std::string(GP_BUILD_DIR) + "/handlers/generate-project";
  const auto outcome = support::run(program +
                                        " run --topic Ratios --life-skill Empathy --owner-email t@school.ae "
                                        "--project-id run_cli --chat-id cli",
                                    {{"DATABASE_URL", stack().database_url()}});
  BOOST_TEST(outcome.exit_code == 0, outcome.output);
  BOOST_TEST(outcome.output.find("run_completed") != std::string::npos, outcome.output);
  BOOST_TEST(stack().status("run_cli").at("status") == "complete");
  const auto wrong = support::run(program + " run --project-id p --chat-id c --topic '' --owner-email nobody",
                                  {{"DATABASE_URL", stack().database_url()}});
  BOOST_TEST(wrong.exit_code != 0);
  BOOST_TEST(wrong.output.find("owner_email") != std::string::npos, wrong.output);
}

BOOST_AUTO_TEST_SUITE_END()
