#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/runlog/stored_document.h"

namespace gp::runlog {

/// Tells how a run is getting on: state, attempt, times, tokens and cost (of all attempts that have ended),
/// the newest event's id, and why it ended in error. The text is a JSON object made by describe_run.sql,
/// without the owner's address and without the request. One session, made at first use and again after it
/// broke. Not thread-safe; make after fork.
class RunDescriptions {
 public:
  explicit RunDescriptions(Secret database_url);
  ~RunDescriptions();

  /// The description, or nothing where there is no such run. Where `known_etag` equals the current one the
  /// text is not transferred. Throws Error(kUnavailable) where PostgreSQL is away.
  std::optional<StoredDocument> find(const RunId& run_id, const std::string& known_etag);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::runlog
