#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/ids.h"
#include "core/runlog/event_reader.h"

namespace gp::streaming {

/// What the log reader needs of the event log: runlog::EventReader, or a test's fake. Used by one thread.
/// Functions throw Error(kUnavailable) where the log is away.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void ensure_listening() = 0;
  virtual std::uint64_t generation() const = 0;
  virtual std::vector<runlog::RunTail> read(std::span<const runlog::Cursor> cursors, int limit) = 0;
  virtual std::vector<RunId> wait_for_ring(std::chrono::milliseconds timeout, int wake_fd) = 0;
};

/// The log in PostgreSQL.
class PostgresEventLog : public EventLog {
 public:
  explicit PostgresEventLog(Secret listen_url) : reader_(std::move(listen_url)) {}
  void ensure_listening() override { reader_.ensure_listening(); }
  std::uint64_t generation() const override { return reader_.generation(); }
  std::vector<runlog::RunTail> read(std::span<const runlog::Cursor> cursors, int limit) override {
    return reader_.read(cursors, limit);
  }
  std::vector<RunId> wait_for_ring(std::chrono::milliseconds timeout, int wake_fd) override {
    return reader_.wait_for_ring(timeout, wake_fd);
  }

 private:
  runlog::EventReader reader_;
};

}  // namespace gp::streaming
