#include "core/streaming/opening.h"

namespace gp::streaming {

using Standing = runlog::RunTail::Standing;

http::Problem problem_of(const TailAnswer& answer) {
  switch (answer.tail.standing) {
    case Standing::kUnknown:
      return {404, "run_not_found", "There is no such run."};
    case Standing::kPruned:
      return {410, "run_expired",
              "The run's events are older than the retention; /status still has the document."};
    case Standing::kOpen:
    case Standing::kEnded:
      break;
  }
  return {200, "", ""};
}

Opening open_stream(std::int64_t cursor, std::uint64_t reads_before, const TailAnswer& answer) {
  const runlog::RunTail& tail = answer.tail;
  if (answer.is_verdict_after(reads_before)) {
    if (auto problem = problem_of(answer); !problem.code.empty()) return problem;
    if (tail.standing == Standing::kEnded && cursor == tail.last_id) return NothingLeft{};
    if (cursor > tail.last_id) return Begin{tail.last_id, kBeyondTheEnd};
    return Begin{cursor, {}};
  }
  // There is something for this client: it need not wait for a read of its own.
  if (cursor < answer.end()) return Begin{cursor, {}};
  return KeepWaiting{};
}

}  // namespace gp::streaming
