#include "core/generation/answer_intake.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/generation/csv_rows.h"
#include "core/llm/shape.h"
#include "core/project/checks.h"
#include "core/project/redaction.h"

namespace gp::generation {
namespace {

/// A section's place in the plan, as the events tell it.
Json place_in_plan(const Json& plan, const std::string& section_id) {
  const Json& sections = plan.at("sections");
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].at("id") != section_id) continue;
    return {{"section_id", section_id}, {"name", sections[i].at("name")}, {"index", i + 1}};
  }
  throw Error(ErrorKind::kBug, fmt::format("section {} is not in the plan", section_id));
}

}  // namespace

AnswerIntake::AnswerIntake(const llm::Assignment& assignment, const project::Blocklist& blocklist,
                           StepWriter& writer, CsvLog& log)
    : assignment_(assignment), blocklist_(blocklist), writer_(writer), log_(log) {}

void AnswerIntake::take(const llm::Piece& piece) {
  if (piece.kind == llm::Piece::Kind::kPlan) {
    if (!writer_.document().has_plan()) take_plan(piece.value);
    for (const llm::Piece& early : std::exchange(early_, {})) take(early);
    return;
  }
  if (is_plan_refused_ || !is_wanted(piece.section_id)) return;
  if (!writer_.document().has_plan()) {
    early_.push_back(piece);
  } else if (piece.kind == llm::Piece::Kind::kSectionOpened) {
    announce_section(piece.section_id);
  } else {
    take_section(piece.section_id, piece.value);
  }
}

void AnswerIntake::take_plan(const Json& raw) {
  llm::Shaped shaped = llm::shape_plan(raw, assignment_);
  auto found = std::move(shaped.faults);
  if (found.empty()) found = project::check_plan(shaped.value, assignment_.request);
  if (!holds(shaped.value, std::move(found), "plan")) {
    is_plan_refused_ = true;
    return;
  }
  // The request passed the blocklist at /start and the plan did just now: that is what blocklist_ok says.
  const Json plan = {{"blocklist_ok", true}, {"sections", shaped.value.at("sections")}};
  writer_.write(project::EventType::kPlanCompleted, {{"plan", plan}});
}

void AnswerIntake::announce_section(const std::string& section_id) {
  if (!announced_.insert(section_id).second) return;
  writer_.write(project::EventType::kSectionStarted, place_in_plan(writer_.document().plan(), section_id));
}

void AnswerIntake::take_section(const std::string& section_id, const Json& raw) {
  announce_section(section_id);
  llm::Shaped shaped = llm::shape_section(section_id, raw, assignment_);
  auto found = std::move(shaped.faults);
  if (found.empty()) found = project::check_section(section_id, shaped.value, assignment_.request);
  if (!holds(shaped.value, std::move(found), "sections." + section_id)) return;
  Json members = place_in_plan(writer_.document().plan(), section_id);
  members["total"] = writer_.document().planned_sections().size();
  members["section"] = std::move(shaped.value);
  writer_.write(project::EventType::kSectionCompleted, members);
}

bool AnswerIntake::is_wanted(const std::string& section_id) const {
  const auto completed = writer_.document().completed_sections();
  return std::ranges::find(assignment_.wanted, section_id) != assignment_.wanted.end() &&
         std::ranges::find(completed, section_id) == completed.end();
}

bool AnswerIntake::holds(Json& value, std::vector<Fault> found, const std::string& path) {
  const int redacted = project::redact_strings(value);
  if (const std::string category = project::find_blocked(value, blocklist_); !category.empty()) {
    found.push_back({path, fmt::format("holds a word of the blocked category '{}'", category)});
    has_blocked_ = true;
  }
  log_.append(part_row(path, found, redacted), wall_now());
  const bool is_clean = found.empty();
  std::move(found.begin(), found.end(), std::back_inserter(faults_));
  return is_clean;
}

}  // namespace gp::generation
