#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/generation/circuit_breaker.h"
#include "core/generation/csv_log.h"
#include "core/generation/earlier_takes.h"
#include "core/generation/provider_memory.h"
#include "core/generation/spending.h"
#include "core/generation/step_writer.h"
#include "core/generation/verdict.h"
#include "core/llm/assignment.h"
#include "core/llm/call_body.h"
#include "core/llm/chat_call.h"
#include "core/llm/prices.h"
#include "core/project/blocklist.h"
#include "core/runlog/run_queue.h"

namespace gp::generation {

/// What all generations of a worker process share. Everything outlives them; everything is safe to share
/// between threads.
struct Tools {
  const Config& config;
  const project::Blocklist& blocklist;
  const llm::PriceTable& prices;
  ProviderMemory& provider;
  CircuitBreaker& breaker;
  StepWriter::Submit submit;
};

/// What a generation is told from outside. Asked often, from its thread.
struct Orders {
  std::function<bool()>
      should_stop;  ///< the lease is lost, or the worker is being stopped: write no event any more
  std::function<bool()>
      is_lost;  ///< the lease is lost: write nothing at all. Asked before anything is written
  std::function<bool()> is_cancelled;  ///< somebody wants the run to end: stop the call and say so
};

/// One take of one attempt of a run, from claim to terminal event, on a thread of its own. It reads top to
/// bottom: it pulls the answer from the LLM and hands each finished part on; it never waits for PostgreSQL.
///
/// RUN_TIMEOUT_S and LLM_MAX_CALLS are the attempt's: what its earlier takes have used is subtracted, as far
/// as their events tell (EarlierTakes), but one call is always possible. Whether one of them has had its
/// repair cannot be told: a take may repair once where it has the calls. The time that run_completed tells is
/// that of the whole attempt, as its teacher has waited for it; tokens and cost are unknown where there was
/// an earlier take, or a call that the provider may have worked on without telling what that took.
///
/// What an earlier take has written and today's rules or blocklist refuse is written anew.
///
/// Where MODEL_FALLBACK takes over, run_started is written once more: it names the model that writes from
/// there on.
///
/// Ends by writing run_completed or error, exactly one of them - or, once it should stop, without. Where the
/// lease is lost somebody else has the run: then neither an event nor a row nor a file of the log is written
/// any more. A run that is cancelled before its last event is written ends in error, code "cancelled"; the
/// call of the LLM is cut within 150 ms.
class Generation {
 public:
  Generation(const Tools& tools, runlog::Claim claim, Orders orders);
  Generation(Tools&& tools, runlog::Claim claim, Orders orders) = delete;  // it is kept by reference

  /// Never throws.
  void run() noexcept;

  /// True where run() ended because it should stop, without a terminal event.
  bool was_stopped() const noexcept { return was_stopped_; }

 private:
  void begin();
  void note_interrupted_calls();
  void discard_what_does_not_hold();
  void announce();
  std::optional<Failure> attempt();
  std::optional<Failure> write_missing();
  bool is_told_to_end() const { return orders_.should_stop() || orders_.is_cancelled(); }
  llm::Assignment next_assignment() const;
  Answer call(const llm::Assignment& assignment, CircuitBreaker::Permit permit);
  llm::ChatCall begin_call(const llm::Assignment& assignment, std::string& input_path);
  Answer read_answer(llm::ChatCall call, const llm::Assignment& assignment, CircuitBreaker::Permit& permit);
  void account_for(const Answer& answer, const std::string& input_path);
  Standing standing() const;
  std::optional<Failure> follow(Verdict verdict, const llm::CallResult& result);
  std::optional<Failure> drop_parameter(const llm::CallResult& result, Failure failure);
  void use_fallback();
  std::optional<Failure> wait_for_retry(const llm::CallResult& result, const Failure& failure);
  std::optional<Failure> finish();
  void fail(const Failure& failure);
  project::RunEnd run_end() const;
  bool is_over_time() const { return steady_now() >= deadline_; }
  std::chrono::milliseconds time_taken() const;
  void pause(std::chrono::milliseconds time) const;

  const Tools& tools_;
  runlog::Claim claim_;
  Orders orders_;
  CsvLog log_;
  StepWriter writer_;
  const EarlierTakes earlier_;
  const SteadyTime started_ = steady_now();
  const std::chrono::milliseconds took_before_;  ///< from the attempt's beginning to this take's
  const SteadyTime deadline_;
  std::string model_;
  llm::CallParameters sent_;       ///< with the newest call
  bool has_heard_enough_ = false;  ///< of the newest call's answer: it is to end
  int calls_ = 0;                  ///< of this take that count towards LLM_MAX_CALLS
  int call_number_ = 0;            ///< of the whole run, for the log's file names
  bool is_repair_used_ = false;
  std::vector<Fault> faults_;  ///< that the next call is shown, to put them right
  Backoff backoff_;            ///< between calls
  Spending spending_;
  bool was_stopped_ = false;
};

}  // namespace gp::generation
