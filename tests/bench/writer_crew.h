#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/base/secret.h"
#include "core/runlog/doorbell.h"
#include "tests/bench/lag_book.h"
#include "tests/support/log_runs.h"

namespace bench {

struct CrewPlan {
  std::size_t writers = 8;
  std::size_t events_each = 15;                    ///< of every run
  std::chrono::nanoseconds period{1'000'000'000};  ///< between two events of one run
  std::size_t most_in_one_commit = 64;             ///< as the shipper; what is due goes together

  std::chrono::milliseconds time() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(period *
                                                                 static_cast<std::int64_t>(events_each));
  }
};

/// Writers as the worker processes of one host have them: each a thread with its own EventWriter and its own
/// share of the runs, all with one doorbell, and events that fall due evenly over the period. What is late is
/// made up for as fast as commits allow.
class WriterCrew {
 public:
  /// Connects, and begins after a second. `runs` and `book` must outlive the crew.
  WriterCrew(const gp::Secret& database_url, const support::LogRuns& runs, const CrewPlan& plan,
             LagBook& book);

  /// Waits until every event is committed.
  void join();

  bool is_done() const noexcept { return done_ == threads_.size(); }
  std::uint64_t committed() const noexcept { return committed_; }
  std::uint64_t commits() const noexcept { return commits_; }
  std::uint64_t wrong() const noexcept { return wrong_; }  ///< steps that were refused or not written
  std::chrono::duration<double> took() const;              ///< from the first event due to the last commit

 private:
  void write_share(std::size_t writer);

  gp::Secret url_;
  const support::LogRuns& runs_;
  CrewPlan plan_;
  LagBook& book_;
  gp::runlog::Doorbell doorbell_;
  gp::SteadyTime begin_;
  std::vector<gp::SteadyTime> ends_;  ///< one a writer
  std::atomic<std::uint64_t> committed_ = 0;
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::uint64_t> wrong_ = 0;
  std::atomic<std::size_t> done_ = 0;
  std::vector<std::jthread> threads_;  ///< last: they use everything above
};

}  // namespace bench
