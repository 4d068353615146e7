#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/generation/csv_log.h"
#include "core/generation/step_writer.h"
#include "core/llm/answer_reader.h"
#include "core/llm/assignment.h"
#include "core/project/blocklist.h"
#include "core/project/start_request.h"

namespace gp::generation {

/// What is wrong, by today's rules and today's blocklist, with a plan or a section that is stored: one that
/// was written before either changed. Empty: it would be accepted again, as it is.
std::vector<Fault> faults_of_stored_plan(const Json& plan, const project::StartRequest& request,
                                         const project::Blocklist& blocklist);
std::vector<Fault> faults_of_stored_section(const std::string& section_id, const Json& section,
                                            const project::StartRequest& request,
                                            const project::Blocklist& blocklist);

/// Takes the pieces of one call's answer as they arrive. What holds (shape, redaction, checks, blocklist)
/// becomes an event and part of the document at once; what does not becomes faults for a repair call, and the
/// rest of the answer is still used. Sections that come before the plan wait for it. One thread, one call.
class AnswerIntake {
 public:
  AnswerIntake(const llm::Assignment& assignment, const project::Blocklist& blocklist, StepWriter& writer,
               CsvLog& log);

  void take(const llm::Piece& piece);

  /// What was wrong with this answer, for the repair call.
  const std::vector<Fault>& faults() const noexcept { return faults_; }
  /// True where one of the faults is a blocked word.
  bool has_blocked() const noexcept { return has_blocked_; }

 private:
  void take_plan(const Json& raw);
  void announce_section(const std::string& section_id);
  void take_section(const std::string& section_id, const Json& raw);
  bool is_wanted(const std::string& section_id) const;
  /// Adds `found`, and a blocked word in `value`, to the faults, and writes the part's row. True where there
  /// was none. `value` is redacted: what is checked is what is stored.
  bool holds(const Json& value, std::vector<Fault> found, const std::string& path, int redacted);

  const llm::Assignment& assignment_;
  const project::Blocklist& blocklist_;
  StepWriter& writer_;
  CsvLog& log_;
  std::vector<llm::Piece> early_;  ///< sections that arrived before the plan
  std::set<std::string> announced_;
  std::vector<Fault> faults_;
  bool is_plan_refused_ = false;  ///< sections of a refused plan are of no use
  bool has_blocked_ = false;
};

}  // namespace gp::generation
