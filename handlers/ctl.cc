// `generate-project`: the command line for people. It talks to the database directly, needs no handler to
// run, and prints one line an event. Exit codes: core/base/exit_code.h; `run` and `tail` give 1 where the run
// ended in error.
//
//   generate-project migrate                 makes or updates the tables
//   generate-project run --topic ... ...     records a run, as POST /start does, and follows it
//   generate-project tail <run_id>           follows a run, as GET /events/stream does
//   generate-project settings [--sample]     every setting with default and range, or a sample environment
//   file

#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/base/config.h"
#include "core/base/exit_code.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/project/blocklist.h"
#include "core/project/start_request.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/migrate.h"
#include "core/runlog/run_intake.h"

namespace {

using gp::Config;
using gp::Error;
using gp::ErrorKind;
using gp::ExitCode;
using gp::Json;

constexpr std::string_view kRequired[] = {"DATABASE_URL"};
constexpr std::chrono::seconds kSlowTimer{2};  // a lost ring costs at most this
constexpr int kPage = 100;

struct TailOptions {
  std::string run_id;
  std::int64_t after = 0;
  bool json = false;
};

struct RunOptions {
  std::string project_id;
  std::string chat_id;
  std::string title;
  std::string topic;
  std::string life_skill = "Problem Solving";
  int group_size = 3;
  int duration_min = 45;
  std::string owner_email;
};

Config load() { return gp::load_config(gp::process_environment(), kRequired); }

ExitCode migrate() {
  const Config config = load();
  const auto applied = gp::runlog::migrate(config.database_url);
  for (const std::string& name : applied) fmt::print("applied {}\n", name);
  fmt::print("schema version {}\n", gp::runlog::known_schema_version());
  return ExitCode::kOk;
}

std::string describe(const gp::runlog::StoredEvent& event) {
  const Json data = gp::parse_json(event.data);
  const auto text = [&](const char* member) { return data.value(member, std::string()); };
  std::string line = fmt::format("{} {:>3} {:<18}", text("at"), event.id, event.type);
  if (event.type == "run_started")
    return line + fmt::format("attempt {}, {}", data.value("attempt", 0), text("model"));
  if (event.type == "plan_completed")
    return line + fmt::format("{} sections", data.at("plan").at("sections").size());
  if (event.type == "section_started") return line + fmt::format("{} {}", text("section_id"), text("name"));
  if (event.type == "section_completed") {
    return line + fmt::format("{} {} ({} of {})", text("section_id"), text("name"), data.value("index", 0),
                              data.value("total", 0));
  }
  if (event.type == "run_completed")
    return line + fmt::format("{} ms", data.value("duration_ms", std::int64_t{0}));
  return line + fmt::format("{}: {}", text("code"), text("message"));
}

void print(const gp::runlog::RunTail& tail, bool as_json) {
  for (const auto& event : tail.events) {
    if (as_json) {
      fmt::print(R"({{"id":{},"event":"{}","data":{}}})"
                 "\n",
                 event.id, event.type, event.data);
    } else {
      fmt::print("{}\n", describe(event));
    }
  }
  std::fflush(stdout);
}

/// Follows the run from the cursor until it has ended, over restarts of the database.
ExitCode follow(const Config& config, gp::runlog::Cursor cursor, bool as_json) {
  using Standing = gp::runlog::RunTail::Standing;
  gp::runlog::EventReader reader(config.database_listen_url);
  reader.ensure_listening();
  std::string last_type;
  while (true) {
    const auto tail = reader.read(std::span(&cursor, 1), kPage).front();
    if (tail.standing == Standing::kUnknown) throw Error(ErrorKind::kNotFound, "there is no such run");
    if (tail.standing == Standing::kPruned)
      throw Error(ErrorKind::kNotFound, "the run's events are older than the retention");
    print(tail, as_json);
    if (!tail.events.empty()) {
      cursor.after = tail.events.back().id;
      last_type = tail.events.back().type;
    }
    if (cursor.after < tail.last_id) continue;
    if (tail.standing == Standing::kEnded) return last_type == "error" ? ExitCode::kFailure : ExitCode::kOk;
    reader.wait_for_ring(kSlowTimer, -1);
  }
}

ExitCode tail(const TailOptions& options) {
  const auto run_id = gp::parse_run_id(options.run_id);
  if (!run_id) throw Error(ErrorKind::kBadInput, "run_id is not a UUID");
  return follow(load(), {*run_id, options.after}, options.json);
}

/// The same checks as POST /start, with the same words.
gp::project::StartRequest request_from(const RunOptions& options, const Config& config) {
  const auto parsed = gp::project::parse_start_request(
      {{"project_id", options.project_id},
       {"chat_id", options.chat_id},
       {"title", options.title.empty() ? Json(nullptr) : Json(options.title)},
       {"topic", options.topic},
       {"life_skill", options.life_skill},
       {"group_size", options.group_size},
       {"duration_min", options.duration_min},
       {"owner_email", options.owner_email}});
  if (const auto* faults = std::get_if<std::vector<gp::Fault>>(&parsed)) {
    std::string text = "the request is not valid:";
    for (const auto& fault : *faults) text += fmt::format("\n  {}: {}", fault.field, fault.problem);
    throw Error(ErrorKind::kBadInput, text);
  }
  const auto blocklist = gp::project::Blocklist::load(config.blocklist_file);
  auto request = std::get<gp::project::StartRequest>(parsed);
  for (const auto& text : {request.topic, request.title, request.life_skill}) {
    if (const auto hit = blocklist.find(text)) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("the request holds a word of the blocked category '{}'", hit->category));
    }
  }
  return request;
}

ExitCode run(const RunOptions& options) {
  const Config config = load();
  const auto outcome = gp::runlog::RunIntake(config.database_url).start(request_from(options, config));
  fmt::print("run {}\n", outcome.run_id.str());
  return follow(config, {outcome.run_id, 0}, false);
}

ExitCode settings(bool as_sample) {
  fmt::print("{}", as_sample ? gp::settings_sample() : gp::settings_help());
  return ExitCode::kOk;
}

ExitCode exit_code_for(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kBadInput:
      return ExitCode::kUsage;
    case ErrorKind::kNotFound:
      return ExitCode::kFailure;
    case ErrorKind::kConflict:
      return ExitCode::kConfig;
    case ErrorKind::kBug:
      return ExitCode::kSoftware;
    default:
      return ExitCode::kUnavailable;
  }
}

/// Runs one subcommand; whatever goes wrong becomes one message on stderr and an exit code.
ExitCode guarded(const std::function<ExitCode()>& command) {
  try {
    return command();
  } catch (const gp::ConfigError& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return ExitCode::kConfig;
  } catch (const Error& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return exit_code_for(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "generate-project: {}\n", error.what());
    return ExitCode::kSoftware;
  }
}

void add_run(CLI::App& app, RunOptions& options, std::function<ExitCode()>& command) {
  CLI::App* sub = app.add_subcommand("run", "Record a run, as POST /start does, and follow it");
  sub->add_option("--project-id", options.project_id, "The calling app's project")->required();
  sub->add_option("--chat-id", options.chat_id, "The calling app's conversation")->required();
  sub->add_option("--topic", options.topic, "What the project is about")->required();
  sub->add_option("--title", options.title, "The project's title");
  sub->add_option("--life-skill", options.life_skill, "The life skill it trains")->capture_default_str();
  sub->add_option("--group-size", options.group_size, "Students in a group, 1-8")->capture_default_str();
  sub->add_option("--duration-min", options.duration_min, "Minutes, 10-240")->capture_default_str();
  sub->add_option("--owner-email", options.owner_email, "The teacher's address")->required();
  sub->callback([&] { command = [&] { return run(options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Classroom projects, written live and impossible to lose", "generate-project");
  app.set_version_flag("--version", GP_VERSION);
  app.require_subcommand(1);
  std::function<ExitCode()> command;
  TailOptions tail_options;
  RunOptions run_options;
  bool as_sample = false;

  app.add_subcommand("migrate", "Make or update the tables in DATABASE_URL")->callback([&] {
    command = migrate;
  });
  add_run(app, run_options, command);
  CLI::App* tail_command = app.add_subcommand("tail", "Follow a run until it has ended");
  tail_command->add_option("run_id", tail_options.run_id, "The run")->required();
  tail_command->add_option("--after", tail_options.after, "Only events after this id")
      ->check(CLI::NonNegativeNumber);
  tail_command->add_flag("--json", tail_options.json, "One JSON object a line");
  tail_command->callback([&] { command = [&] { return tail(tail_options); }; });
  CLI::App* settings_command =
      app.add_subcommand("settings", "Show every setting with its default and range");
  settings_command->add_flag("--sample", as_sample, "As an environment file to edit");
  settings_command->callback([&] { command = [&] { return settings(as_sample); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? gp::to_int(ExitCode::kOk) : gp::to_int(ExitCode::kUsage);
  }
  return gp::to_int(guarded(command));
}
