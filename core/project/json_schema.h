#pragma once

#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"

namespace gp::project {

/// A compiled JSON Schema (draft 7 subset of valijson; local $ref only). Immutable; safe to share between
/// threads.
class JsonSchema {
 public:
  /// Throws Error(kBug) where the schema itself is broken.
  explicit JsonSchema(const Json& schema);

  /// The faults of `value`, `field` being its path ("plan.sections[0].name"), each as shown_fault() makes it,
  /// kMostFaultsShown at most. Empty: it conforms.
  std::vector<Fault> check(const Json& value) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;  ///< shared by copies; never changed
};

/// The schema of the project document: core/project/schema/proj.v1.schema.json, embedded at build time. The
/// one source of truth for the document's shape; the LLM's response schema is derived from it.
const Json& project_schema();

}  // namespace gp::project
