#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/secret.h"
#include "core/runlog/channels.h"
#include "tests/support/log_runs.h"

namespace bench {

constexpr std::size_t kRunsEach =
    64;  ///< of one writer: a row that is updated again and again would slow itself
constexpr std::size_t kDocumentBytes = 2048;  ///< of the project that every commit writes whole

enum class Ring {
  kNone,
  kDoorbell,  ///< after the commit, as the service does
  kInside     ///< NOTIFY in the writing transaction
};

/// Commits a second of `writers` threads that write one event with its document after the other, each to runs
/// of its own, for `time`. Throws where a step is refused.
double commits_per_second(const gp::Secret& database_url, std::size_t writers, Ring ring,
                          std::chrono::milliseconds time);

/// The same rows by pgbench; throws where there is none.
double pgbench_commits_per_second(const gp::Secret& database_url, std::size_t clients,
                                  std::chrono::milliseconds time);

/// Sessions that listen to the doorbell and do nothing about it.
class Listeners {
 public:
  Listeners(const gp::Secret& database_url, std::size_t count,
            std::string_view channel = gp::runlog::kEventsChannel);

 private:
  std::vector<std::jthread> threads_;
};

}  // namespace bench
