#include "core/runlog/log_probe.h"

#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr const char* kUser = "health";
constexpr std::chrono::seconds kPatience{3};  ///< for an answer: longer than the server tries

}  // namespace

struct LogProbe::Impl {
  explicit Impl(Secret url)
      : sessions(std::move(url), "generate-project health",
                 [](pg::Session& session) { session.give_up_after(kPatience); }) {}

  /// The limit holds for the transaction alone: through a pooler in transaction mode a setting of the session
  /// would stay with the server's process, for whoever is given that one next.
  LogHealth look() {
    LogHealth health;
    const SteadyTime begun = steady_now();
    pg::Session& session = sessions.get();
    pg::Transaction transaction(session);
    session.run_script("SET LOCAL statement_timeout = 2000");
    health.schema = read_schema(session);
    if (schema_mismatch(health.schema).empty()) {
      const auto queue = session.run(sql::kReadQueue);
      health.queued = queue.number(0, "queued");
      health.oldest_queued = std::chrono::seconds(queue.number(0, "oldest_s"));
      health.is_read_only = queue.flag(0, "is_read_only");
    }
    transaction.commit();
    health.is_reachable = true;
    health.took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - begun);
    return health;
  }

  void note(bool is_reachable, const std::string& message) {
    if (std::exchange(was_reachable, is_reachable) == is_reachable) return;
    if (is_reachable) {
      report::report(report::DatabaseBack{kUser});
    } else {
      report::report(report::DatabaseLost{kUser, message, std::chrono::milliseconds(0)});
    }
  }

  pg::SessionHolder sessions;
  bool was_reachable = true;
};

LogProbe::LogProbe(Secret database_url) : impl_(std::make_unique<Impl>(std::move(database_url))) {}
LogProbe::~LogProbe() = default;

LogHealth LogProbe::look() noexcept {
  std::string fault;
  // A session that idled through a restart of the database is found broken only now: once more with a new
  // one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      const LogHealth health = impl_->look();
      impl_->note(true, {});
      return health;
    } catch (const std::exception& error) {
      impl_->sessions.drop();
      fault = error.what();
    }
  }
  impl_->note(false, fault);
  return {};
}

}  // namespace gp::runlog
