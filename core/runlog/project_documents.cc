#include "core/runlog/project_documents.h"

#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kInvalidText = "22P02";  // an id that uuid or bigint cannot hold
constexpr std::string_view kOutOfRange = "22003";

}  // namespace

struct ProjectDocuments::Impl {
  explicit Impl(Secret url) : sessions(std::move(url), "generate-project status", require_schema) {}

  std::optional<StoredDocument> find(const ProjectId& project_id, const std::string& known_etag) {
    const auto found = sessions.get().run(sql::kFindDocument, {project_id.str(), unquoted_tag(known_etag)});
    if (found.empty()) return std::nullopt;
    return read_document(found, 0);
  }

  pg::SessionHolder sessions;
};

ProjectDocuments::ProjectDocuments(Secret database_url)
    : impl_(std::make_unique<Impl>(std::move(database_url))) {}
ProjectDocuments::~ProjectDocuments() = default;

std::optional<StoredDocument> ProjectDocuments::find(const ProjectId& project_id,
                                                     const std::string& known_etag) {
  for (bool is_second = false;; is_second = true) {
    try {
      return impl_->find(project_id, known_etag);
    } catch (const Error& error) {
      if (error.code() == kInvalidText || error.code() == kOutOfRange) return std::nullopt;
      impl_->sessions.drop();
      if (error.kind() != ErrorKind::kUnavailable || is_second) throw;
    }
  }
}

}  // namespace gp::runlog
