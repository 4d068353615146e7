#include "core/runlog/run_queue.h"

#include <algorithm>
#include <array>
#include <utility>

#include <poll.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/project/document.h"
#include "core/runlog/channels.h"
#include "core/runlog/stored_run.h"
#include "sql.h"

namespace gp::runlog {
namespace {

/// Errors of INSERT INTO projects that say "this table does not let us": not null, foreign key, check, unique
/// violation, no privilege, the id does not fit the column's type.
constexpr std::array<std::string_view, 7> kTableRefuses = {"23502", "23503", "23514", "23505",
                                                           "42501", "22P02", "22003"};

bool table_refuses(const Error& error) {
  return std::ranges::find(kTableRefuses, error.code()) != kTableRefuses.end();
}

/// Is there a row for this claim's project, or may we make one?
bool ensure_project(pg::Session& session, const Claim& claim) {
  try {
    const std::string id = claim.request.project_id.str();
    if (!session.run(sql::kFindProject, {id}).empty()) return true;
    const project::Document document(claim.lease.run_id, claim.request, "");
    session.run(sql::kInsertProject, {id, dump_json(document.json())});
    return true;
  } catch (const Error& error) {
    if (!table_refuses(error)) throw;
    // Unique violation: somebody else inserted it meanwhile.
    return error.code() == "23505";
  }
}

}  // namespace

struct RunQueue::Impl {
  Impl(Secret url, Secret listen_url, QueueOptions given)
      : sessions(std::move(url), "generate-project worker"),
        listeners(std::move(listen_url), "generate-project worker listen"),
        options(std::move(given)) {}

  /// Runs `work` with the session, which is dropped where it fails: the next call connects again.
  template <class Work>
  auto with_session(const Work& work) {
    if (sessions.ensure() && std::exchange(was_connected, true)) takeover_from = steady_now() + options.lease;
    try {
      return work(sessions.get());
    } catch (const Error&) {
      sessions.drop();
      throw;
    }
  }

  pg::SessionHolder sessions;
  pg::SessionHolder listeners;
  QueueOptions options;
  bool was_connected = false;
  SteadyTime takeover_from{};  ///< after an outage the owners of expired leases get one lease's time to renew
};

RunQueue::RunQueue(Secret database_url, Secret listen_url, QueueOptions options)
    : impl_(std::make_unique<Impl>(std::move(database_url), std::move(listen_url), std::move(options))) {}
RunQueue::~RunQueue() = default;
RunQueue::RunQueue(RunQueue&&) noexcept = default;

void RunQueue::release_former_self() {
  impl_->with_session([&](pg::Session& session) { session.run(sql::kReleaseOwner, {impl_->options.owner}); });
}

std::vector<Claim> RunQueue::claim(int most) {
  return impl_->with_session([&](pg::Session& session) {
    const auto rows = session.run(sql::kClaimRuns, {most, impl_->options.owner, impl_->options.lease.count(),
                                                    steady_now() >= impl_->takeover_from});
    std::vector<std::pair<std::int64_t, Claim>> claims;
    for (int row = 0; row < rows.size(); ++row) {
      Claim claim;
      claim.lease = {RunId(rows.text(row, "run_id")), LeaseToken(rows.text(row, "lease_token"))};
      claim.attempt = static_cast<int>(rows.number(row, "attempt"));
      claim.request = restore_request(rows, row);
      claim.taken_over = rows.flag(row, "taken_over");
      claims.emplace_back(rows.number(row, "start_order"), std::move(claim));
    }
    std::ranges::sort(claims, {}, [](const auto& entry) { return entry.first; });
    std::vector<Claim> ordered;
    for (auto& [order, claim] : claims) {
      claim.events = read_events(session, claim.lease.run_id);
      claim.project_writable = ensure_project(session, claim);
      ordered.push_back(std::move(claim));
    }
    return ordered;
  });
}

std::vector<RunId> RunQueue::renew(std::span<const Lease> held) {
  std::vector<std::string> runs;
  std::vector<std::string> tokens;
  for (const Lease& lease : held) {
    runs.push_back(lease.run_id.str());
    tokens.push_back(lease.token.str());
  }
  const auto renewed = impl_->with_session([&](pg::Session& session) {
    return session.run(sql::kRenewLeases,
                       {pg::Param::array(runs), pg::Param::array(tokens), impl_->options.lease.count()});
  });
  std::vector<RunId> lost;
  for (const Lease& lease : held) lost.push_back(lease.run_id);
  for (int row = 0; row < renewed.size(); ++row) std::erase(lost, RunId(renewed.text(row, "run_id")));
  return lost;
}

void RunQueue::give_back(const Lease& lease) {
  impl_->with_session([&](pg::Session& session) {
    session.run(sql::kGiveBackRun, {lease.run_id.str(), lease.token.str()});
    session.run(sql::kRing, {kQueueChannel, ""});
  });
}

bool RunQueue::wait(std::chrono::milliseconds timeout, int wake_fd) {
  if (!impl_->options.listens) {
    pollfd entry{wake_fd, POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(timeout.count()));
    return false;
  }
  try {
    const bool is_new = impl_->listeners.ensure();
    if (is_new) impl_->listeners.get().listen(kQueueChannel);
    return is_new || !impl_->listeners.get().wait(timeout, wake_fd).empty();
  } catch (const Error&) {
    impl_->listeners.drop();
    throw;
  }
}

}  // namespace gp::runlog
