#include "core/runlog/run_descriptions.h"

#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {

struct RunDescriptions::Impl {
  explicit Impl(Secret url)
      : sessions(std::move(url), "generate-project status", fitting_session(kReadPatience)) {}

  std::optional<StoredDocument> find(const RunId& run_id, const std::string& known_etag) {
    const auto found = sessions.get().run(sql::kDescribeRun, {run_id.str(), unquoted_tag(known_etag)});
    if (found.empty()) return std::nullopt;
    return read_document(found, 0);
  }

  pg::SessionHolder sessions;
};

RunDescriptions::RunDescriptions(Secret database_url)
    : impl_(std::make_unique<Impl>(std::move(database_url))) {}
RunDescriptions::~RunDescriptions() = default;

std::optional<StoredDocument> RunDescriptions::find(const RunId& run_id, const std::string& known_etag) {
  for (bool is_second = false;; is_second = true) {
    try {
      return impl_->find(run_id, known_etag);
    } catch (const Error& error) {
      // A session that idled through a restart of the database is found broken only now: once more.
      impl_->sessions.drop();
      if (error.kind() != ErrorKind::kUnavailable || is_second) throw;
    }
  }
}

}  // namespace gp::runlog
