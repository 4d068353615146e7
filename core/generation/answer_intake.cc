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

std::vector<Fault> faults_of_stored(Json value, std::vector<Fault> found, const std::string& path,
                                    const project::Blocklist& blocklist) {
  if (auto blocked = project::find_blocked(value, path, blocklist)) found.push_back(std::move(*blocked));
  if (project::redact_strings(value) > 0) found.push_back({path, "holds personal data"});
  return found;
}

}  // namespace

std::vector<Fault> faults_of_stored_plan(const Json& plan, const project::StartRequest& request,
                                         const project::Blocklist& blocklist) {
  return faults_of_stored(plan, project::check_plan(plan, request), "plan", blocklist);
}

std::vector<Fault> faults_of_stored_section(const std::string& section_id, const Json& section,
                                            const project::StartRequest& request,
                                            const project::Blocklist& blocklist) {
  return faults_of_stored(section, project::check_section(section_id, section, request),
                          "sections." + section_id, blocklist);
}

AnswerIntake::AnswerIntake(const llm::Assignment& assignment, const project::Blocklist& blocklist,
                           StepWriter& writer, CsvLog& log)
    : assignment_(assignment), blocklist_(blocklist), writer_(writer), log_(log) {}

void AnswerIntake::take(const llm::Piece& piece) {
  if (piece.kind == llm::Piece::Kind::kPlan) {
    if (!writer_.has_plan()) take_plan(piece.value);
    for (const llm::Piece& early : std::exchange(early_, {})) take(early);
    return;
  }
  if (is_plan_refused_ || !is_wanted(piece.section_id)) return;
  if (!writer_.has_plan()) {
    early_.push_back(piece);
  } else if (piece.kind == llm::Piece::Kind::kSectionOpened) {
    announce_section(piece.section_id);
  } else if (!piece.problem.empty()) {
    const std::string path = "sections." + piece.section_id;
    (void)holds(nullptr, {{path, piece.problem}}, path, 0);
  } else {
    take_section(piece.section_id, piece.value);
  }
}

void AnswerIntake::take_plan(const Json& raw) {
  llm::Shaped shaped = llm::shape_plan(raw, assignment_);
  const int redacted = project::redact_strings(shaped.value);
  auto found = std::move(shaped.faults);
  if (found.empty()) found = project::check_plan(shaped.value, assignment_.request);
  if (!holds(shaped.value, std::move(found), "plan", redacted)) {
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
  const int redacted = project::redact_strings(shaped.value);
  auto found = std::move(shaped.faults);
  if (found.empty()) found = project::check_section(section_id, shaped.value, assignment_.request);
  if (!holds(shaped.value, std::move(found), "sections." + section_id, redacted)) return;
  Json members = place_in_plan(writer_.document().plan(), section_id);
  members["total"] = writer_.document().planned_sections().size();
  members["section"] = std::move(shaped.value);
  writer_.write(project::EventType::kSectionCompleted, members);
}

bool AnswerIntake::is_wanted(const std::string& section_id) const {
  const auto finished = writer_.finished_sections();
  return std::ranges::find(assignment_.wanted, section_id) != assignment_.wanted.end() &&
         std::ranges::find(finished, section_id) == finished.end();
}

bool AnswerIntake::holds(const Json& value, std::vector<Fault> found, const std::string& path, int redacted) {
  if (auto blocked = project::find_blocked(value, path, blocklist_)) {
    found.push_back(std::move(*blocked));
    has_blocked_ = true;
  }
  log_.append(part_row(path, found, redacted), wall_now());
  const bool is_clean = found.empty();
  std::move(found.begin(), found.end(), std::back_inserter(faults_));
  return is_clean;
}

}  // namespace gp::generation
