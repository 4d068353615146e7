#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/json.h"
#include "core/project/document.h"
#include "core/project/step.h"
#include "core/runlog/run_queue.h"

namespace gp::generation {

/// Turns what happens in one run into steps: numbers the event, completes its data (run_id, project_id, at),
/// folds it into the document and hands both on together. The document changes in no other way. One thread.
///
/// Says as well what is written and may stay. What an earlier attempt has written and holds no longer is
/// discarded: it counts as missing, and the document shows it until a new event replaces it. So do the
/// sections that were written for an earlier plan than the document's.
class StepWriter {
 public:
  using Submit = std::function<void(const project::Step&)>;  ///< the shipper's submit, or a test's recorder

  /// Folds what the claim brings (earlier attempts' events) and continues their numbering.
  StepWriter(const runlog::Claim& claim, const std::string& csv_url, Submit submit);

  /// `members` are the event's own members (event.h); `end` goes with a terminal event.
  void write(project::EventType type, const Json& members, std::optional<project::RunEnd> end = std::nullopt);

  const project::Document& document() const noexcept { return document_; }

  bool has_plan() const { return document_.has_plan() && !is_plan_discarded_; }
  std::vector<std::string> finished_sections() const;  ///< in plan order; none without a plan
  std::vector<std::string> missing_sections() const;   ///< in plan order; none without a plan
  Json finished() const;                               ///< the finished sections themselves, by id

  void discard_plan() { is_plan_discarded_ = true; }  ///< and with it every section
  void discard_section(const std::string& section_id) { discarded_.insert(section_id); }

 private:
  void fold(const project::Event& event);

  runlog::Lease lease_;
  ProjectId project_id_;
  std::int64_t last_id_ = 0;
  project::Document document_;
  bool is_plan_discarded_ = false;
  std::set<std::string> discarded_;  ///< sections
  Submit submit_;
};

}  // namespace gp::generation
