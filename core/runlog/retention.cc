#include "core/runlog/retention.h"

#include <string>

#include "core/pg/session.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {

struct Retention::Impl {
  explicit Impl(const Secret& url) : session(url, "generate-project prune") { require_schema(session); }

  pg::Session session;
};

Retention::Retention(const Secret& database_url) : impl_(std::make_unique<Impl>(database_url)) {}
Retention::~Retention() = default;

Retention::Count Retention::count(std::chrono::seconds retention) {
  const auto row = impl_->session.run(sql::kCountPrunable, {retention.count()});
  return {row.number(0, "runs"), row.number(0, "events")};
}

PrunedRuns Retention::prune_some(std::chrono::seconds retention, int limit) {
  const auto rows = impl_->session.run(sql::kPruneRuns, {retention.count(), limit});
  PrunedRuns pruned;
  for (int row = 0; row < rows.size(); ++row) {
    pruned.runs.emplace_back(rows.text(row, "run_id"));
    pruned.events = rows.number(row, "events");
  }
  return pruned;
}

std::vector<ExpiredRun> Retention::find_expired(std::span<const RunId> runs,
                                                std::optional<std::chrono::seconds> retention) {
  std::vector<std::string> ids;
  for (const RunId& run_id : runs) ids.push_back(run_id.str());
  const auto due_s = retention ? pg::Param(retention->count()) : pg::Param(std::nullopt);
  const auto rows = impl_->session.run(sql::kFindExpired, {pg::Param::array(ids), due_s});
  std::vector<ExpiredRun> expired;
  for (int row = 0; row < rows.size(); ++row)
    expired.push_back({RunId(rows.text(row, "run_id")), rows.flag(row, "is_unknown")});
  return expired;
}

}  // namespace gp::runlog
