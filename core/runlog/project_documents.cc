#include "core/runlog/project_documents.h"

#include <utility>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/document_memory.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kInvalidText = "22P02";  // an id that uuid or bigint cannot hold
constexpr std::string_view kOutOfRange = "22003";
constexpr std::size_t kMemoryBytes = 4 << 20;  ///< of documents: some hundreds

}  // namespace

struct ProjectDocuments::Impl {
  explicit Impl(Secret url)
      : sessions(std::move(url), "generate-project status",
                 [this](pg::Session& session) { begin(session); }) {}

  /// Another session may be one to another server, whose rows have other versions.
  void begin(pg::Session& session) {
    require_schema(session);
    memory.clear();
    const auto kind = session.run(sql::kFindRowVersions);
    has_versions = !session.is_pooled() && !kind.empty() && kind.flag(0, "are_known");
  }

  std::optional<StoredDocument> find(const ProjectId& project_id, const std::string& known_etag) {
    pg::Session& session = sessions.get();
    return has_versions ? find_changed(session, project_id, known_etag)
                        : find_any(session, project_id, known_etag);
  }

  static std::optional<StoredDocument> find_any(pg::Session& session, const ProjectId& project_id,
                                                const std::string& known_etag) {
    const auto found = session.run(sql::kFindDocument, {project_id.str(), unquoted_tag(known_etag)});
    if (found.empty()) return std::nullopt;
    return read_document(found, 0);
  }

  std::optional<StoredDocument> find_changed(pg::Session& session, const ProjectId& project_id,
                                             const std::string& known_etag) {
    const DocumentMemory::Entry* entry = memory.find(project_id);
    const bool is_enough =
        entry != nullptr && (!entry->document.text.empty() || entry->document.etag == known_etag);
    const auto found =
        session.run(sql::kFindChangedDocument,
                    {project_id.str(), is_enough ? entry->version : "", unquoted_tag(known_etag)});
    if (found.empty()) {
      memory.forget(project_id);
      return std::nullopt;
    }
    if (found.is_null(0, "tag")) {
      const StoredDocument& document = entry->document;
      return StoredDocument{document.etag, document.etag == known_etag ? std::string() : document.text};
    }
    StoredDocument document = read_document(found, 0);
    memory.keep(project_id, {found.text(0, "version"), document});
    return document;
  }

  DocumentMemory memory{kMemoryBytes};
  bool has_versions = false;
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
