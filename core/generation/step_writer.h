#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "core/base/ids.h"
#include "core/base/json.h"
#include "core/project/document.h"
#include "core/project/step.h"
#include "core/runlog/run_queue.h"

namespace gp::generation {

/// Turns what happens in one run into steps: numbers the event, completes its data (run_id, project_id, at),
/// folds it into the document and hands both on together. The document changes in no other way. One thread.
class StepWriter {
 public:
  using Submit = std::function<void(const project::Step&)>;  ///< the shipper's submit, or a test's recorder

  /// Folds what the claim brings (earlier attempts' events) and continues their numbering.
  StepWriter(const runlog::Claim& claim, const std::string& csv_url, Submit submit);

  /// `members` are the event's own members (event.h); `end` goes with a terminal event.
  void write(project::EventType type, const Json& members, std::optional<project::RunEnd> end = std::nullopt);

  const project::Document& document() const noexcept { return document_; }

 private:
  runlog::Lease lease_;
  ProjectId project_id_;
  std::int64_t last_id_ = 0;
  project::Document document_;
  Submit submit_;
};

}  // namespace gp::generation
