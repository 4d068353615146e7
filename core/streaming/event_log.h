#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/runlog/end_outcome.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/lost_runs.h"

namespace gp::streaming {

/// What the log reader needs of the event log: the one in PostgreSQL, or a test's fake. Used by one thread.
/// Functions throw Error(kUnavailable) where the log is away.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void ensure_listening() = 0;
  virtual std::uint64_t connections_made() const = 0;
  virtual std::vector<runlog::RunTail> read(std::span<const runlog::Cursor> cursors, int limit) = 0;
  virtual runlog::Sweep find_behind(std::span<const runlog::Cursor> cursors) = 0;
  /// Ends a run that find_behind called lost with an `error` event. May throw where all else works: the runs'
  /// owners may be at another address than what is read.
  virtual runlog::EndOutcome end_lost(const RunId& run_id) = 0;
  virtual std::vector<RunId> wait_for_ring(std::chrono::milliseconds timeout, int wake_fd) = 0;
};

/// The log in PostgreSQL. A run is lost when its lease ended more than `lost_after` ago.
class PostgresEventLog : public EventLog {
 public:
  PostgresEventLog(Secret listen_url, Secret database_url, std::string csv_base_url,
                   std::chrono::seconds lost_after)
      : reader_(std::move(listen_url)),
        lost_runs_(std::move(database_url), std::move(csv_base_url)),
        lost_after_(lost_after) {}
  void ensure_listening() override { reader_.ensure_listening(); }
  std::uint64_t connections_made() const override { return reader_.connections_made(); }
  std::vector<runlog::RunTail> read(std::span<const runlog::Cursor> cursors, int limit) override {
    return reader_.read(cursors, limit);
  }
  runlog::Sweep find_behind(std::span<const runlog::Cursor> cursors) override {
    return reader_.find_behind(cursors, lost_after_);
  }
  runlog::EndOutcome end_lost(const RunId& run_id) override { return lost_runs_.end(run_id, lost_after_); }
  std::vector<RunId> wait_for_ring(std::chrono::milliseconds timeout, int wake_fd) override {
    return reader_.wait_for_ring(timeout, wake_fd);
  }

 private:
  runlog::EventReader reader_;
  runlog::LostRuns lost_runs_;
  std::chrono::seconds lost_after_;
};

}  // namespace gp::streaming
