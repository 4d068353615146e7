#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/project/step.h"
#include "core/runlog/run_queue.h"
#include "core/spool/outbox.h"

/// What this host knows of a run and the log does not have. Either the log has lost it: asynchronous
/// replication may promote a standby that lacks the last events that the old primary had confirmed. Clients
/// have seen those, so they must become part of the new log as they were, under the same ids; the replay
/// cache has what this host wrote or served. Or it has not got it yet: steps that wait in the outbox of a
/// worker that is gone, or asleep.
namespace gp::generation {

/// The confirmed events of a run after `after` and up to `last`, as steps under `token` without documents; to
/// be written together with the step `last` + 1, whose document is the newest. Empty where the cache has not
/// all of them.
std::vector<project::Step> steps_between(spool::Outbox& outbox, const RunId& run_id, const LeaseToken& token,
                                         std::int64_t after, std::int64_t last);

/// For a run that has just been claimed: the events that this host knows beyond those of the claim -
/// confirmed ones, where the cache has the claim's last event as the log has it (else they are another
/// history's, and are forgotten), then those that were written under the lease before this one and not
/// shipped (whoever has them in its slot is fenced by the claim, and discards them). They are added to the
/// claim, and returned as steps under its lease, whole with documents, for the shipper. Up to the first
/// terminal event: that one ends the run, and there is nothing to generate.
std::vector<project::Step> add_known_events(runlog::Claim& claim, spool::Outbox& outbox,
                                            const std::string& csv_base_url);

}  // namespace gp::generation
