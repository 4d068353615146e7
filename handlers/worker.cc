// The generator: takes runs from the queue, calls the LLM, writes sections and events. It has no route; POST
// /start only records a run. A worker that dies is replaced in its slot and its runs go on; see
// core/generation/worker.h. Settings it cannot do without: DATABASE_URL, OPENAI_API_KEY (it is the only
// process that reads the key).

#include "core/generation/worker.h"

#include "core/process/handler_main.h"

namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL", "OPENAI_API_KEY"};

gp::process::ChildLife prepare(const gp::Config& config) {
  return [&config, files = gp::generation::WorkerFiles::load(config)](const gp::process::Child& child) {
    return gp::generation::run_worker(
        config, files, {child.slot, child.stop_fd, child.wake_fds, child.line_in, child.line_out});
  };
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "worker",
                                    .description = "Generates the projects that POST /start has recorded.",
                                    .required = kRequired,
                                    .processes = &gp::Config::worker_processes,
                                    .drain = &gp::Config::worker_drain_s,
                                    .has_socket = false,
                                    .prepare = prepare});
}
