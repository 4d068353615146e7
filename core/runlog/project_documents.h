#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

  using Found = std::optional<StoredDocument>;

  explicit ProjectDocuments(Secret database_url);
  ~ProjectDocuments();

  /// The document, or nothing where there is no such project (an id that the column's type cannot hold
  /// included) or its spec_json is null. Throws Error(kUnavailable) where PostgreSQL is away.
  Found find(const Question& question);

  /// The same for questions that came together: one round trip, in which each of several that are the same is
  /// asked once. Nothing for one alone, nor for one that could not be answered so (an id that the column's
  /// type cannot hold is among them, PostgreSQL is away): find() is for those. A question that is not there
  /// has no answer: another kind of request came among them.
  std::vector<std::optional<Found>> find_together(
      std::span<const std::optional<Question>> questions) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
