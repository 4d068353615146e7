#include "core/generation/generations.h"

#include <exception>
#include <system_error>
#include <utility>

#include "core/base/report.h"
#include "core/generation/generation.h"
#include "core/generation/lease_watch.h"

namespace gp::generation {

void Generations::start(runlog::Claim claim, LeaseBook::SharedFlags flags) {
  Running& running = running_.emplace_back();
  running.lease = claim.lease;
  running.flags = std::move(flags);
  try {
    running.thread = std::jthread(
        [this, &running, taken = std::move(claim)]() mutable { generate(running, std::move(taken)); });
  } catch (const std::system_error&) {
    running_.pop_back();
    throw;
  }
}

void Generations::generate(Running& running, runlog::Claim claim) {
  LeaseWatch watch(leases_, running.flags, config_.lease_s - config_.lease_beat_s, ring_);
  Orders orders{
      .should_stop = [this, &watch] { return watch.is_lost() || is_abandoning_; },
      .is_lost = [&watch] { return watch.is_lost(); },
      .is_cancelled = [&running] { return running.flags->is_cancelled.load(); },
  };
  const Tools tools{config_,   blocklist_, prices_,
                    provider_, breaker_,   [this](const project::Step& step) { shipper_.submit(step); }};
  try {
    Generation generation(tools, std::move(claim), std::move(orders));
    generation.run();
    running.was_stopped = generation.was_stopped();
  } catch (const std::exception& error) {
    // The claim's events do not fold: a bug, and the lease must not be kept.
    report::report(report::ThreadFailed{"generation " + running.lease.run_id.str(), error.what()});
    running.was_stopped = true;
  }
  running.has_ended = true;
  ring_();
}

void Generations::reap() {
  running_.remove_if([this](const Running& running) {
    const bool has_ended = running.has_ended.load();
    if (has_ended && running.was_stopped) leases_.remove(running.lease.run_id, running.lease.token);
    return has_ended;
  });
}

void Generations::stop() {
  is_abandoning_ = true;
  leases_.close();
  for (Running& running : running_) running.thread.join();
  running_.clear();
}

}  // namespace gp::generation
