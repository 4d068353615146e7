#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/sqlite/database.h"
#include "tests/e2e/on_stack.h"
#include "tests/fault/csv.h"
#include "tests/support/program.h"

/// What the fault tests look at to know what the service has done, beside its answers.
namespace fault {

using e2e::stack;

/// The worker process that took the run last, as the log tells; 0: it has gone.
inline int worker_of(const std::string& run_id) {
  const std::string log = stack().log_of("worker");
  const std::size_t taken = log.rfind("run_taken run_id=" + run_id);
  if (taken == std::string::npos) return 0;
  const std::size_t name = log.rfind("worker[", taken) + 7;
  const std::string title = fmt::format("gp-worker:{}\n", log.substr(name, log.find(']', name) - name));
  for (const int pid : support::children_of(stack().pid_of("worker"))) {
    if (support::read_file(fmt::format("/proc/{}/comm", pid)) == title) return pid;
  }
  return 0;
}

/// One value out of the stack's database; a line for each row.
inline std::string sql(const std::string& query) {
  std::string text = support::run_or_throw(
      fmt::format("psql -XAtq -v ON_ERROR_STOP=1 -d '{}' -c \"{}\"", stack().database_url(), query));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// One number out of the stack's spool.
inline std::int64_t spool_number(const std::string& query) {
  return gp::sqlite::Database(stack().folder() + "/state/spool/spool.db").number_of(query);
}

inline std::int64_t outbox_rows() { return spool_number("SELECT count(*) FROM outbox WHERE slot >= 0"); }

/// How many events of this type the spool holds of a run, confirmed by PostgreSQL or not.
inline std::int64_t spooled_events(const std::string& run_id, const std::string& type) {
  const std::string of_run = fmt::format("WHERE run_id = '{}' AND type = '{}'", run_id, type);
  return spool_number(
      fmt::format("SELECT (SELECT count(*) FROM outbox {0}) + (SELECT count(*) FROM events {0})", of_run));
}

/// A run's CSV log, the header first.
inline std::vector<std::vector<std::string>> csv_of(const std::string& run_id) {
  return parse_csv(support::read_file(fmt::format("{}/state/logs/{}.csv", stack().folder(), run_id)));
}

/// How many rows of a run's log are of this stage and hold `text` somewhere.
inline long rows_of(const std::string& run_id, const std::string& stage, const std::string& text = {}) {
  const auto holds = [&](const std::string& cell) { return cell.find(text) != std::string::npos; };
  return std::ranges::count_if(csv_of(run_id), [&](const std::vector<std::string>& row) {
    return row.size() > 2 && row[2] == stage && std::ranges::any_of(row, holds);
  });
}

/// Every row has the twelve columns of the contract.
inline void check_csv(const std::string& run_id) {
  for (const auto& row : csv_of(run_id))
    BOOST_TEST(row.size() == 12u, "a row of " << run_id << " begins with " << row.front());
}

/// The sections that a call of the simulated LLM was asked for.
inline std::vector<std::string> wanted_by(const gp::Json& call) {
  const gp::Json inputs =
      gp::parse_json(call.at("body").at("messages").at(1).at("content").get<std::string>());
  return inputs.at("wanted").get<std::vector<std::string>>();
}

/// A client that reads a run's events over as many connections as it takes.
class Follower {
 public:
  explicit Follower(std::string run_id) : run_id_(std::move(run_id)) {}

  const std::vector<support::StreamEvent>& events() const { return events_; }
  bool has_ended() const {
    return !events_.empty() && (events_.back().name == "run_completed" || events_.back().name == "error");
  }

  /// Reads on to the next event of this name, or to the run's end.
  void read_to(const std::string& name, std::chrono::seconds patience = std::chrono::seconds(90)) {
    const auto deadline = gp::steady_now() + patience;
    while (!has_ended() && gp::steady_now() < deadline) {
      if (read_one() && events_.back().name == name) return;
    }
  }
  void read_to_end(std::chrono::seconds patience = std::chrono::seconds(120)) {
    read_to("run_completed", patience);
  }

 private:
  bool read_one() {
    try {
      if (!stream_) {
        stream_ = std::make_unique<support::EventStream>(
            stack().port(), "/events/stream?run_id=" + run_id_,
            support::Headers{{"Last-Event-ID", std::to_string(events_.size())}});
      }
      if (auto event = stream_->next(std::chrono::seconds(30))) {
        events_.push_back(std::move(*event));
        return true;
      }
    } catch (const std::exception&) {
      // cut; an EventSource comes back as well
    }
    stream_.reset();
    support::run("sleep 0.1");
    return false;
  }

  std::string run_id_;
  std::unique_ptr<support::EventStream> stream_;
  std::vector<support::StreamEvent> events_;
};

}  // namespace fault
