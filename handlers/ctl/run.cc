// run --project-id ... --chat-id ... --topic ...   records a run, as POST /start does, and follows it.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/project/blocklist.h"
#include "core/project/checks.h"
#include "core/project/start_request.h"
#include "core/runlog/run_intake.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/follow.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

struct Options {
  std::string project_id;
  std::string chat_id;
  std::string title;
  std::string topic;
  std::string life_skill = "Problem Solving";
  int group_size = 3;
  int duration_min = 45;
  std::string owner_email;
};

[[noreturn]] void refuse(const std::vector<Fault>& faults) {
  std::string text = "the request is not valid:";
  for (const Fault& fault : faults) text += fmt::format("\n  {}: {}", fault.field, fault.problem);
  throw Error(ErrorKind::kBadInput, text);
}

/// The same checks as POST /start, with the same words.
project::StartRequest request_from(const Options& options, const Config& config) {
  const auto parsed =
      project::parse_start_request({{"project_id", options.project_id},
                                    {"chat_id", options.chat_id},
                                    {"title", options.title.empty() ? Json(nullptr) : Json(options.title)},
                                    {"topic", options.topic},
                                    {"life_skill", options.life_skill},
                                    {"group_size", options.group_size},
                                    {"duration_min", options.duration_min},
                                    {"owner_email", options.owner_email}});
  if (const auto* faults = std::get_if<std::vector<Fault>>(&parsed)) refuse(*faults);
  const auto& request = std::get<project::StartRequest>(parsed);
  const auto blocked = project::find_blocked(request, project::Blocklist::load(config.blocklist_file));
  if (!blocked.empty()) refuse(blocked);
  return request;
}

ExitCode run(const Options& options) {
  const Config config = load_as_service(kRequired);
  runlog::RunIntake intake(config.database_url, config.queue_max_runs);
  const auto outcome = intake.start(request_from(options, config));
  if (outcome.kind == runlog::StartOutcome::Kind::kQueueFull)
    throw Error(ErrorKind::kUnavailable, "as many runs wait as may (QUEUE_MAX_RUNS); try again later");
  fmt::print("run {}\n", outcome.run_id.str());
  if (outcome.request_differs)
    fmt::print(stderr, "generate-project: the pair's run began with another request, which stays in force\n");
  intake.ring();
  return follow(config, {outcome.run_id, 0}, false);
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("run", "Record a run, as POST /start does, and follow it");
  sub->add_option("--project-id", options->project_id, "The calling app's project")->required();
  sub->add_option("--chat-id", options->chat_id, "The calling app's conversation")->required();
  sub->add_option("--topic", options->topic, "What the project is about")->required();
  sub->add_option("--title", options->title, "The project's title");
  sub->add_option("--life-skill", options->life_skill, "The life skill it trains")->capture_default_str();
  sub->add_option("--group-size", options->group_size, "Students in a group, 1-8")->capture_default_str();
  sub->add_option("--duration-min", options->duration_min, "Minutes, 10-240")->capture_default_str();
  sub->add_option("--owner-email", options->owner_email, "The teacher's address")->required();
  sub->callback([=, &chosen] { chosen = [=] { return run(*options); }; });
}

}  // namespace gp::ctl
