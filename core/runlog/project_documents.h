#pragma once

#include <memory>
#include <optional>
#include <span>
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
  /// Which document, and the entity tag that its reader has: where that is the current one the text is not
  /// transferred. Empty: none.
  struct Question {
    ProjectId project_id;
    std::string known_etag;

    bool operator==(const Question&) const = default;
  };

  explicit ProjectDocuments(Secret database_url);
  ~ProjectDocuments();

  /// The document, or nothing where there is no such project (an id that the column's type cannot hold
  /// included) or its spec_json is null. Throws Error(kUnavailable) where PostgreSQL is away.
  std::optional<StoredDocument> find(const Question& question);

  /// Asks for all these in one round trip, each of several that are the same once. find() answers them from
  /// that until the next call: so call it, with none if need be, before each batch of requests. What could
  /// not be found out find() asks by itself; never throws.
  void look_ahead(std::span<const Question> questions) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
