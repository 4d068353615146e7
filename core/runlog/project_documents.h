#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/runlog/stored_document.h"

namespace gp::runlog {

/// Reads projects.spec_json, exactly as stored. One session, made at first use and again after it broke. Not
/// thread-safe; make after fork.
///
/// Up to 4 MiB of documents are kept as long as the session lasts. PostgreSQL is asked each time whether the
/// row is still the same version (xmin and ctid: every update makes new ones); only where it is not, it makes
/// the text and its hash. Not behind a pooler, where the next statement may meet another server, and not
/// where projects is no plain table.
class ProjectDocuments {
 public:
  explicit ProjectDocuments(Secret database_url);
  ~ProjectDocuments();

  /// The document, or nothing where there is no such project (an id that the column's type cannot hold
  /// included) or its spec_json is null. Where `known_etag` equals the current one the text is not
  /// transferred. Throws Error(kUnavailable) where PostgreSQL is away.
  std::optional<StoredDocument> find(const ProjectId& project_id, const std::string& known_etag);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
