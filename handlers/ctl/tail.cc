// tail <run_id> [--after N] [--json]   follows a run, as GET /events/stream does.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/follow.h"
#include "handlers/ctl/host.h"

namespace gp::ctl {
namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};

/// Far beyond what a run can have.
constexpr std::int64_t kMaxEventId = 1'000'000'000;

struct Options {
  std::string run_id;
  std::int64_t after = 0;
  bool json = false;
};

ExitCode tail(const Options& options) {
  const auto run_id = parse_run_id(options.run_id);
  if (!run_id) throw Error(ErrorKind::kBadInput, "run_id is not a UUID");
  return follow(load_as_service(kRequired), {*run_id, options.after}, options.json);
}

}  // namespace

void add_tail(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("tail", "Follow a run until it has ended");
  sub->add_option("run_id", options->run_id, "The run")->required();
  sub->add_option("--after", options->after, "Only events after this id")
      ->check(CLI::Range(std::int64_t{0}, kMaxEventId));
  sub->add_flag("--json", options->json, "One JSON object a line");
  sub->callback([=, &chosen] { chosen = [=] { return tail(*options); }; });
}

}  // namespace gp::ctl
