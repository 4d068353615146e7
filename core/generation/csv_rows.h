#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/generation/csv_log.h"
#include "core/generation/verdict.h"
#include "core/project/step.h"

/// The rows of a run's CSV log, a function for each stage: stages, sentences and warnings are part of the
/// log's contract. Pure; nothing here is redacted, CsvLog::append does that.
namespace gp::generation {

CsvRow run_started_row(int attempt, const std::string& model, std::size_t sections_kept);

/// A call whose worker ended before the call did; what it has used is not known.
CsvRow interrupted_call_row(const std::string& model, const std::string& input_path);

/// `cost_usd`: nothing where the tokens or the price are unknown, which becomes the row's warning. The paths
/// are the caller's to fill in.
CsvRow llm_call_row(const Answer& answer, const std::string& model, const std::string& temperature,
                    std::optional<double> cost_usd);

/// The plan or a section of an answer (`path`: "plan", "sections.<id>"): accepted where `faults` is empty.
/// `redacted`: texts that held personal data.
CsvRow part_row(std::string_view path, const std::vector<Fault>& faults, int redacted);

/// `validator` as the document holds it: {"ok", "checks": [{"id", "ok", "detail"}]}. The warning lists the
/// checks that failed, by id.
CsvRow validate_row(const Json& validator);

/// `calls`: of the whole run.
CsvRow run_completed_row(const project::RunEnd& end, const std::string& model, std::size_t sections,
                         std::chrono::milliseconds took, int calls);

CsvRow error_row(const Failure& failure, const std::string& model);

}  // namespace gp::generation
