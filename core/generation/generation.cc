#include "core/generation/generation.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/generation/answer_intake.h"
#include "core/generation/csv_rows.h"
#include "core/generation/output_json.h"
#include "core/llm/answer_reader.h"
#include "core/llm/prompt.h"
#include "core/project/checks.h"
#include "core/project/redaction.h"

namespace gp::generation {
namespace {

using llm::CallStatus;
using project::EventType;
using std::chrono::milliseconds;

constexpr milliseconds kFirstRetryWait{500};  // the official client's back-off: 0.5 s doubling to 8 s
constexpr milliseconds kLongestRetryWait{8000};
constexpr milliseconds kStopCheck{50};
const Failure kProviderIsDown{
    "llm_unavailable", "the LLM provider has not answered for a while; it is tried with one call at a time",
    "llm_call", true};

void tell_outcome(CircuitBreaker::Permit& permit, const llm::CallResult& result) {
  switch (sign_of(result)) {
    case Sign::kUp:
      return permit.succeed();
    case Sign::kBusy:
      return permit.postpone(result.retry_after);
    case Sign::kDown:
      return permit.fail();
    case Sign::kNone:
      return;
  }
}

}  // namespace

Generation::Generation(const Tools& tools, runlog::Claim claim, Orders orders)
    : tools_(tools),
      claim_(std::move(claim)),
      orders_(std::move(orders)),
      log_(tools.config.csv_log_dir, claim_.lease.run_id),
      writer_(claim_, project::csv_url(tools.config.csv_base_url, claim_.lease.run_id), tools.submit),
      earlier_(earlier_takes(claim_.events, tools.config.model_fallback)),
      took_before_(time_since(earlier_, wall_now())),
      deadline_(started_ + time_left(tools.config.run_timeout_s, earlier_)),
      model_(tools.config.model_primary),
      backoff_(kFirstRetryWait, kLongestRetryWait) {}

void Generation::run() noexcept {
  std::optional<Failure> failure;
  try {
    begin();
    failure = attempt();
    if (orders_.is_lost()) was_stopped_ = true;
    if (!failure && !was_stopped_) failure = finish();
  } catch (const std::exception& error) {
    report::report(report::ThreadFailed{"generation " + claim_.lease.run_id.str(), error.what()});
    failure = Failure{"internal", "the service failed; the run can be started again", "internal", true};
  }
  if (!failure || was_stopped_) return;
  if (orders_.is_lost()) {
    was_stopped_ = true;
    return;
  }
  try {
    fail(*failure);
  } catch (const std::exception& error) {
    report::report(report::ThreadFailed{"generation " + claim_.lease.run_id.str(), error.what()});
    was_stopped_ = true;  // no terminal event: the run must be taken over
  }
}

void Generation::begin() {
  note_interrupted_calls();
  discard_what_does_not_hold();
  announce();
}

void Generation::announce() {
  const auto resumed = writer_.finished_sections();
  writer_.write(EventType::kRunStarted,
                {{"attempt", claim_.attempt}, {"model", model_}, {"resumed_sections", resumed}});
  log_.append(run_started_row(claim_.attempt, model_, resumed.size()), wall_now());
}

/// An earlier owner of this attempt that died, or gave the run back, has not said what its calls used: the
/// sums of the attempt are not known then. On its own host its last call has no row in the log; it gets one
/// here.
void Generation::note_interrupted_calls() {
  call_number_ = log_.first_free_call() - 1;
  if (earlier_.count > 0) spending_.add_unknown();
  for (const std::string& input_path : log_.prompts_without_row(call_number_))
    log_.append(interrupted_call_row(model_, input_path), wall_now());
}

/// The rules or the blocklist may have changed since an earlier take: what they refuse now could never pass
/// the validation at the end, so it is asked for again. The next call is shown why.
void Generation::discard_what_does_not_hold() {
  const project::Document& document = writer_.document();
  const auto is_refused = [this](const std::string& part, std::vector<Fault> faults) {
    if (faults.empty()) return false;
    log_.append(part_row(part, faults, 0), wall_now());
    std::ranges::move(faults, std::back_inserter(faults_));
    return true;
  };
  if (!writer_.has_plan()) return;
  if (is_refused("plan", faults_of_stored_plan(document.plan(), claim_.request, tools_.blocklist)))
    return writer_.discard_plan();
  for (const std::string& id : writer_.finished_sections()) {
    if (is_refused("sections." + id, faults_of_stored_section(id, document.sections().at(id), claim_.request,
                                                              tools_.blocklist)))
      writer_.discard_section(id);
  }
  // Each part holds and the whole does not: it is begun anew, because no part can be blamed.
  if (writer_.missing_sections().empty() &&
      !project::validate(document.json(), claim_.request, tools_.blocklist).at("ok").get<bool>())
    writer_.discard_plan();
}

std::optional<Failure> Generation::attempt() {
  if (!claim_.project_writable) {
    return Failure{"project_not_found",
                   "there is no such project, and the projects table does not let us add it", "project",
                   false};
  }
  auto failure = write_missing();
  if (orders_.should_stop()) was_stopped_ = true;
  if (orders_.is_cancelled()) return Failure{"cancelled", "the run was cancelled", "run", false};
  return failure;
}

/// Calls the LLM until every section is written, something is final, or it is told to end.
std::optional<Failure> Generation::write_missing() {
  while (!standing().missing.empty() && !is_told_to_end()) {
    auto permit = tools_.breaker.wait_for_permit([this] { return is_told_to_end() || is_over_time(); });
    if (is_told_to_end()) break;
    if (!permit) return kProviderIsDown;
    const Answer answer = call(next_assignment(), std::move(*permit));
    if (is_told_to_end()) break;
    if (auto failure = follow(judge(answer, standing()), answer.result)) return failure;
  }
  return std::nullopt;
}

llm::Assignment Generation::next_assignment() const {
  const project::Document& document = writer_.document();
  llm::Assignment assignment;
  assignment.request = claim_.request;
  assignment.faults = faults_;
  if (writer_.has_plan()) {
    assignment.section_ids = document.planned_sections();
    assignment.wanted = writer_.missing_sections();
    assignment.plan = document.plan();
    assignment.finished = writer_.finished();
  } else {
    assignment.section_ids = llm::section_ids_for(claim_.request.duration_min);
    assignment.wanted = assignment.section_ids;
  }
  return assignment;
}

Answer Generation::call(const llm::Assignment& assignment, CircuitBreaker::Permit permit) {
  ++calls_;
  ++call_number_;
  const auto sections_before = writer_.finished_sections().size();
  const bool had_plan = writer_.has_plan();
  std::string input_path;
  const SteadyTime begun = steady_now();
  Answer answer = read_answer(begin_call(assignment, input_path), assignment, permit);
  if (orders_.is_lost()) {
    was_stopped_ = true;
    return answer;
  }
  answer.made_progress =
      writer_.finished_sections().size() > sections_before || writer_.has_plan() != had_plan;
  account_for(answer, input_path);
  metrics::count(metrics::Counter::kLlmCalls);
  report::report(report::LlmCallEnded{claim_.lease.run_id.str(), call_number_,
                                      std::string(name_of(answer.result.status)),
                                      std::chrono::duration_cast<milliseconds>(steady_now() - begun)});
  return answer;
}

/// The body is not kept: as a tree of values it is larger than all else that a generation holds.
llm::ChatCall Generation::begin_call(const llm::Assignment& assignment, std::string& input_path) {
  sent_ = tools_.provider.parameters_for(model_);
  has_heard_enough_ = false;
  const Json body = llm::make_call_body(tools_.config, sent_, assignment);
  input_path = log_.write_prompt(call_number_, body.at("messages"));
  return llm::ChatCall(tools_.config, body,
                       [this] { return is_told_to_end() || is_over_time() || has_heard_enough_; });
}

Answer Generation::read_answer(llm::ChatCall call, const llm::Assignment& assignment,
                               CircuitBreaker::Permit& permit) {
  Answer answer;
  llm::AnswerReader reader;
  AnswerIntake intake(assignment, tools_.blocklist, writer_, log_);
  while (const auto piece_of_text = call.next_text()) {
    if (orders_.is_lost()) return answer;
    permit.succeed();
    if (has_heard_enough_) continue;  // what had arrived already
    answer.text += *piece_of_text;
    has_heard_enough_ = answer.text.size() > llm::AnswerReader::kMaxBytes;
    if (!answer.parse_problem.empty()) continue;  // read on for the usage and the log
    try {
      reader.push(*piece_of_text);
    } catch (const Error& error) {
      answer.parse_problem = error.what();
    }
    while (const auto piece = reader.next()) {  // also those before the fault
      if (orders_.is_lost()) return answer;
      intake.take(*piece);
    }
  }
  answer.result = call.result();
  answer.is_given_up = has_heard_enough_;
  tell_outcome(permit, answer.result);
  answer.faults = intake.faults();
  answer.has_blocked = intake.has_blocked();
  if (answer.parse_problem.empty() && answer.result.status == CallStatus::kComplete && !reader.is_closed()) {
    answer.parse_problem =
        reader.has_begun() ? "the answer's JSON is not closed" : "the answer holds no JSON object";
  }
  return answer;
}

/// What the call has cost, and its row. One that was refused, or reached nobody, was free.
void Generation::account_for(const Answer& answer, const std::string& input_path) {
  const llm::CallResult& result = answer.result;
  const std::string& model = result.model.empty() ? model_ : result.model;
  const auto cost_usd = tools_.prices.cost_usd(model, result.usage);
  if (result.may_be_billed) spending_.add(result.usage, cost_usd);
  CsvRow row = llm_call_row(answer, model, tools_.config.llm_temperature, cost_usd);
  row.input_path = input_path;
  if (!answer.text.empty()) row.output_path = log_.write_output(call_number_, output_json(answer.text));
  log_.append(row, wall_now());
}

/// Acts on the verdict: waits, or changes what the next call is made of. A failure ends the attempt.
std::optional<Failure> Generation::follow(Verdict verdict, const llm::CallResult& result) {
  faults_ = std::move(verdict.faults);
  switch (verdict.next) {
    case Verdict::Next::kFinish:
      return std::nullopt;
    case Verdict::Next::kRepair:
      is_repair_used_ = true;
      return std::nullopt;
    case Verdict::Next::kRetry:
      return wait_for_retry(result, verdict.failure);
    case Verdict::Next::kUseFallback:
      use_fallback();
      return std::nullopt;
    case Verdict::Next::kDropParameter:
      return drop_parameter(result, std::move(verdict.failure));
    case Verdict::Next::kFail:
      return std::move(verdict.failure);
  }
  return std::nullopt;
}

void Generation::use_fallback() {
  model_ = tools_.config.model_fallback;
  --calls_;
  announce();
}

std::optional<Failure> Generation::drop_parameter(const llm::CallResult& result, Failure failure) {
  if (!tools_.provider.drop(sent_, result.parameter)) return failure;
  --calls_;
  return std::nullopt;
}

std::optional<Failure> Generation::wait_for_retry(const llm::CallResult& result, const Failure& failure) {
  // On top of what the provider asks for, so that those who were told the same do not come back together.
  const milliseconds wait = result.retry_after.value_or(milliseconds(0)) + backoff_.next();
  if (steady_now() + wait >= deadline_) return failure;
  pause(wait);
  return std::nullopt;
}

Standing Generation::standing() const {
  Standing standing;
  if (!writer_.has_plan()) standing.missing.emplace_back("plan");
  for (const std::string& id : writer_.missing_sections()) standing.missing.push_back("sections." + id);
  const int calls_allowed = std::max(static_cast<int>(tools_.config.llm_max_calls) - earlier_.count, 1);
  standing.calls_left = calls_allowed - calls_;
  standing.faults = faults_;
  standing.is_repair_used = is_repair_used_;
  standing.has_fallback = !tools_.config.model_fallback.empty() && model_ != tools_.config.model_fallback;
  return standing;
}

std::optional<Failure> Generation::finish() {
  const Json validator = project::validate(writer_.document().json(), claim_.request, tools_.blocklist);
  const CsvRow row = validate_row(validator);
  log_.append(row, wall_now());
  if (!validator.at("ok").get<bool>())
    return Failure{"constraint", "the finished project does not hold: " + row.warning, "validate", true};

  const project::RunEnd end = run_end();
  const milliseconds took = time_taken();
  const auto sections = writer_.document().completed_sections().size();
  const auto tokens_or_null = [](std::int64_t tokens) { return tokens < 0 ? Json(nullptr) : Json(tokens); };
  writer_.write(EventType::kRunCompleted,
                {{"sections", sections},
                 {"duration_ms", took.count()},
                 {"tokens",
                  {{"prompt", tokens_or_null(end.usage.prompt_tokens)},
                   {"completion", tokens_or_null(end.usage.completion_tokens)}}},
                 {"cost_est", end.cost_usd ? Json(*end.cost_usd) : Json(nullptr)},
                 {"validator", validator}},
                end);
  log_.append(run_completed_row(end, model_, sections, took, call_number_), wall_now());
  metrics::count(metrics::Counter::kRunsComplete);
  report::report(report::RunEnded{claim_.lease.run_id.str(), "complete", took});
  return std::nullopt;
}

void Generation::fail(const Failure& failure) {
  project::RunEnd end = run_end();
  end.complete = false;
  end.error_code = failure.code;
  end.error_message = cut_message(project::redact(failure.message));
  log_.append(error_row(failure, model_), wall_now());
  metrics::count(failure.code == "cancelled" ? metrics::Counter::kRunsCancelled
                                             : metrics::Counter::kRunsFailed);
  report::report(report::RunEnded{claim_.lease.run_id.str(), failure.code, time_taken()});
  writer_.write(EventType::kError,
                {{"code", failure.code},
                 {"message", end.error_message},
                 {"stage", failure.stage},
                 {"retryable", failure.retryable}},
                end);
}

project::RunEnd Generation::run_end() const {
  project::RunEnd end;
  end.complete = true;
  end.usage = spending_.usage();
  end.cost_usd = spending_.cost_usd();
  end.llm_calls = earlier_.count + calls_;
  return end;
}

/// By the attempt.
milliseconds Generation::time_taken() const {
  return took_before_ + std::chrono::duration_cast<milliseconds>(steady_now() - started_);
}

/// Waits, until it is told to end at most.
void Generation::pause(milliseconds time) const {
  const SteadyTime until = steady_now() + time;
  while (steady_now() < until && !is_told_to_end())
    std::this_thread::sleep_for(std::min(kStopCheck, std::chrono::ceil<milliseconds>(until - steady_now())));
}

}  // namespace gp::generation
