#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Everything the program can report, one struct each, with named fields. `report(event)` renders it as one
/// logfmt line on stderr; under systemd the line begins with the priority that the journal reads
/// (sd-daemon(3)). Fields never hold a secret, an e-mail address, the teacher's words or the LLM's: ids,
/// codes, numbers and our own sentences only. Safe from any thread: one line is one write(2).
namespace gp::report {

/// syslog(3) priorities.
enum class Level : int { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

using Field = std::pair<std::string_view, std::string>;
using Fields = std::vector<Field>;

/// Lines less important than `level` are dropped from now on. Called once, before threads exist.
void set_level(Level level);
Level parse_level(std::string_view name);  ///< the names of LOG_LEVEL; anything else is kInfo

/// What every line of this process begins with, such as "events[2]". Called once, after fork.
void set_process_name(std::string name);

void write_line(Level level, std::string_view name, const Fields& fields);

template <class Event>
void report(const Event& event) {
  write_line(Event::kLevel, Event::kName, event.fields());
}

// Processes
// -----------------------------------------------------------------------------------------------------------

struct MasterStarted {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "master_started";
  std::string handler;
  std::int64_t processes;
  Fields fields() const { return {{"handler", handler}, {"processes", std::to_string(processes)}}; }
};

struct MasterStopping {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "master_stopping";
  std::string handler;
  Fields fields() const { return {{"handler", handler}}; }
};

struct MasterReloading {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "master_reloading";
  std::string handler;
  Fields fields() const { return {{"handler", handler}}; }
};

struct ReloadRefused {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "reload_refused";
  std::string handler;
  std::string message;  ///< which file, and what is wrong with it
  Fields fields() const { return {{"handler", handler}, {"message", message}}; }
};

struct ChildEnded {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "child_ended";
  std::int64_t pid;
  std::string how;  ///< "exit 0", "signal 9"
  std::chrono::milliseconds restart_in;
  Fields fields() const {
    return {
        {"pid", std::to_string(pid)}, {"how", how}, {"restart_in_ms", std::to_string(restart_in.count())}};
  }
};

struct ForkFailed {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "fork_failed";
  std::string handler;
  std::string message;  ///< the system's: no room for another process
  std::chrono::milliseconds restart_in;
  Fields fields() const {
    return {
        {"handler", handler}, {"message", message}, {"restart_in_ms", std::to_string(restart_in.count())}};
  }
};

struct ChildFailed {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "child_failed";
  std::string kind;
  std::string message;
  Fields fields() const { return {{"kind", kind}, {"message", message}}; }
};

struct ChildKilled {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "child_killed_after_drain";
  std::int64_t pid;
  Fields fields() const { return {{"pid", std::to_string(pid)}}; }
};

struct MetricsNotShared {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "metrics_not_shared";
  std::string message;  ///< what this process counts is not in GET /metrics
  Fields fields() const { return {{"message", message}}; }
};

// Requests
// ------------------------------------------------------------------------------------------------------------

struct RequestFailed {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "request_failed";
  std::string request_id;
  std::string kind;
  std::string message;
  std::string where;
  Fields fields() const {
    return {{"request_id", request_id}, {"kind", kind}, {"message", message}, {"where", where}};
  }
};

struct RunStartRequested {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "run_start_requested";
  std::string request_id;
  std::string run_id;
  std::string outcome;  ///< "started", "restarted", "already", "queue_full"
  Fields fields() const { return {{"request_id", request_id}, {"run_id", run_id}, {"outcome", outcome}}; }
};

struct RunCancelRequested {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "run_cancel_requested";
  std::string request_id;
  std::string run_id;
  std::string outcome;  ///< "stopping", "ended"
  Fields fields() const { return {{"request_id", request_id}, {"run_id", run_id}, {"outcome", outcome}}; }
};

// Dependencies
// --------------------------------------------------------------------------------------------------------

struct DatabaseLost {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "database_lost";
  std::string user;  ///< which part of the process: "shipper", "queue", "log_reader"
  std::string message;
  std::chrono::milliseconds retry_in;
  Fields fields() const {
    return {{"user", user}, {"message", message}, {"retry_in_ms", std::to_string(retry_in.count())}};
  }
};

struct DatabaseBack {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "database_back";
  std::string user;
  Fields fields() const { return {{"user", user}}; }
};

struct SchemaDoesNotFit {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "schema_does_not_fit";
  std::string message;  ///< with what to do
  Fields fields() const { return {{"message", message}}; }
};

struct ProjectNotWritten {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "project_not_written";
  std::string run_id;
  std::string sqlstate;
  Fields fields() const { return {{"run_id", run_id}, {"sqlstate", sqlstate}}; }
};

struct SpoolSetAside {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "spool_set_aside";
  std::string path;
  std::string reason;
  Fields fields() const { return {{"path", path}, {"reason", reason}}; }
};

struct SpoolFailed {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "spool_failed";
  std::string message;
  Fields fields() const { return {{"message", message}}; }
};

struct SpoolBack {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "spool_back";
  std::string user;  ///< what works again: "replay_cache.find", "replay_cache.store"
  Fields fields() const { return {{"user", user}}; }
};

struct SlotHeldElsewhere {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "slot_held_elsewhere";
  std::int64_t wanted;
  std::int64_t taken;  ///< the free one that this worker uses instead
  std::string path;
  Fields fields() const {
    return {{"wanted", std::to_string(wanted)},
            {"taken", std::to_string(taken)},
            {"message",
             "another process holds the slot: a worker that still drains, or a second pool on this spool"},
            {"path", path}};
  }
};

struct SlotLost {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "slot_lost";
  std::int64_t slot;
  Fields fields() const {
    return {{"slot", std::to_string(slot)},
            {"message", "the file of slots was removed and another worker holds this slot now: ending"}};
  }
};

struct SlotInherited {
  static constexpr Level kLevel = Level::kNotice;
  static constexpr std::string_view kName = "slot_inherited";
  std::int64_t slot;  ///< its worker is gone; this one ships what it left and lets its runs go on
  Fields fields() const { return {{"slot", std::to_string(slot)}}; }
};

struct SpoolRunDropped {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "spool_run_dropped";
  std::string run_id;
  std::int64_t event_id;  ///< the first whose row is damaged
  Fields fields() const { return {{"run_id", run_id}, {"event_id", std::to_string(event_id)}}; }
};

// Runs
// ----------------------------------------------------------------------------------------------------------------

struct RunTaken {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "run_taken";
  std::string run_id;
  std::int64_t attempt;
  bool taken_over;
  Fields fields() const {
    return {{"run_id", run_id},
            {"attempt", std::to_string(attempt)},
            {"taken_over", taken_over ? "true" : "false"}};
  }
};

struct RunEnded {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "run_ended";
  std::string run_id;
  std::string code;  ///< "complete" or the error's code
  std::chrono::milliseconds took;
  Fields fields() const {
    return {{"run_id", run_id}, {"code", code}, {"took_ms", std::to_string(took.count())}};
  }
};

struct GenerationNotStarted {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "generation_not_started";
  std::string run_id;   ///< goes back to the queue
  std::string message;  ///< the system's: no room for another thread
  Fields fields() const { return {{"run_id", run_id}, {"message", message}}; }
};

struct RunUnreadable {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "run_unreadable";
  std::string run_id;
  std::string message;  ///< what is wrong with what is stored of it
  Fields fields() const { return {{"run_id", run_id}, {"message", message}}; }
};

struct StepsRefused {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "steps_refused";
  std::string run_id;
  std::string message;  ///< why PostgreSQL does not take what is in them
  Fields fields() const { return {{"run_id", run_id}, {"message", message}}; }
};

struct LeaseLost {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "lease_lost";
  std::string run_id;
  Fields fields() const { return {{"run_id", run_id}}; }
};

struct EventsRestored {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "events_restored";
  std::string run_id;
  std::int64_t events;  ///< that this host has and the log has not: lost in a failover, or never shipped by a
                        ///< worker that is gone
  Fields fields() const { return {{"run_id", run_id}, {"events", std::to_string(events)}}; }
};

struct LlmCallEnded {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "llm_call_ended";
  std::string run_id;
  std::int64_t call;
  std::string outcome;  ///< "complete" or what went wrong, as a code
  std::chrono::milliseconds took;
  Fields fields() const {
    return {{"run_id", run_id},
            {"call", std::to_string(call)},
            {"outcome", outcome},
            {"took_ms", std::to_string(took.count())}};
  }
};

struct CsvLogFailed {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "csv_log_failed";
  std::string run_id;
  std::string message;
  Fields fields() const { return {{"run_id", run_id}, {"message", message}}; }
};

// Streams
// -------------------------------------------------------------------------------------------------------------

struct StreamDropped {
  static constexpr Level kLevel = Level::kInfo;
  static constexpr std::string_view kName = "stream_dropped";
  std::string run_id;
  std::string reason;
  Fields fields() const { return {{"run_id", run_id}, {"reason", reason}}; }
};

struct StreamsLimited {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "streams_limited";
  std::int64_t streams;  ///< what the limit of open descriptors allows, below SSE_MAX_STREAMS
  Fields fields() const { return {{"streams", std::to_string(streams)}}; }
};

struct RunEndedAsLost {
  static constexpr Level kLevel = Level::kWarning;
  static constexpr std::string_view kName = "run_ended_as_lost";
  std::string run_id;
  Fields fields() const { return {{"run_id", run_id}}; }
};

struct ThreadFailed {
  static constexpr Level kLevel = Level::kError;
  static constexpr std::string_view kName = "thread_failed";
  std::string thread;
  std::string message;
  Fields fields() const { return {{"thread", thread}, {"message", message}}; }
};

}  // namespace gp::report
