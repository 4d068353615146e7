#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/generation/circuit_breaker.h"
#include "core/generation/csv_log.h"
#include "core/generation/provider_memory.h"
#include "core/generation/spending.h"
#include "core/generation/step_writer.h"
#include "core/generation/verdict.h"
#include "core/llm/assignment.h"
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

/// One attempt of one run, from claim to terminal event, on a thread of its own. It reads top to bottom: it
/// pulls the answer from the LLM and hands each finished part on; it never waits for PostgreSQL.
///
/// Ends by writing run_completed or error, exactly one of them - or, once it should stop, without. Where the
/// lease is lost somebody else has the run: then neither an event nor a row nor a file of the log is written
/// any more. A run that is cancelled before its last event is written ends in error, code "cancelled"; the
/// call of the LLM is cut within 150 ms.
class Generation {
 public:
  Generation(const Tools& tools, runlog::Claim claim, Orders orders);

  /// Never throws.
  void run() noexcept;

  /// True where run() ended because it should stop, without a terminal event.
  bool was_stopped() const noexcept { return was_stopped_; }

 private:
  void begin();
  void note_interrupted_calls();
  std::optional<Failure> attempt();
  std::optional<Failure> write_missing();
  bool is_told_to_end() const { return orders_.should_stop() || orders_.is_cancelled(); }
  llm::Assignment next_assignment() const;
  Answer call(const llm::Assignment& assignment, CircuitBreaker::Turn turn);
  llm::ChatCall begin_call(const llm::Assignment& assignment, std::string& input_path);
  Answer read_answer(llm::ChatCall call, const llm::Assignment& assignment, CircuitBreaker::Turn& turn);
  void account_for(const Answer& answer, const std::string& input_path);
  Standing standing() const;
  std::optional<Failure> follow(Verdict verdict, const llm::CallResult& result);
  std::optional<Failure> wait_for_retry(const llm::CallResult& result, const Failure& failure);
  std::optional<Failure> finish();
  void fail(const Failure& failure);
  project::RunEnd run_end() const;
  bool is_over_time() const;
  void pause(std::chrono::milliseconds time) const;

  const Tools& tools_;
  runlog::Claim claim_;
  Orders orders_;
  CsvLog log_;
  StepWriter writer_;
  std::string model_;
  SteadyTime started_ = steady_now();
  int calls_ = 0;        ///< that count towards LLM_MAX_CALLS
  int call_number_ = 0;  ///< of the whole run, for the log's file names
  bool is_repair_used_ = false;
  std::vector<Fault> faults_;  ///< for the next call to repair
  Backoff backoff_;            ///< between calls
  Spending spending_;
  bool was_stopped_ = false;
};

}  // namespace gp::generation
