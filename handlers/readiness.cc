#include "handlers/readiness.h"

#include <chrono>
#include <utility>

namespace gp::readiness {
namespace {

constexpr const char* kOk = "ok";
constexpr const char* kDegraded = "degraded";
constexpr const char* kFail = "fail";
constexpr std::chrono::seconds kLongInQueue{60};

bool is_reachable(const Facts& facts) { return facts.log && facts.log->is_reachable; }

Json postgres(const Facts& facts) {
  if (!facts.has_database_url) return {{"status", kFail}, {"detail", "DATABASE_URL is not set"}};
  if (!facts.log) return {{"status", kFail}, {"detail", "no answer in time"}};
  if (!facts.log->is_reachable) return {{"status", kFail}, {"detail", "not reachable; the log says why"}};
  if (facts.log->is_read_only) return {{"status", kFail}, {"detail", "takes no writes"}};
  return {{"status", kOk}, {"took_ms", facts.log->took.count()}};
}

Json schema(const Facts& facts) {
  if (!is_reachable(facts)) return {{"status", kFail}, {"detail", "not known while postgres is away"}};
  const std::string mismatch = runlog::schema_mismatch(facts.log->schema);
  Json entry = {{"status", mismatch.empty() ? kOk : kFail},
                {"version", facts.log->schema.version},
                {"known", runlog::known_schema_version()}};
  if (!mismatch.empty()) entry["detail"] = mismatch;
  return entry;
}

/// The spool is no condition for the service: without it an outage of the database is not survived as well.
Json spool(const Facts& facts) {
  const auto users = facts.events.processes + facts.workers.processes;
  const auto failing =
      facts.events.of(metrics::Gauge::kSpoolFailing) + facts.workers.of(metrics::Gauge::kSpoolFailing);
  if (users == 0) return {{"status", kDegraded}, {"detail", "no process here uses it"}};
  if (failing == 0) return {{"status", kOk}};
  return {{"status", kDegraded},
          {"failing_processes", failing},
          {"detail", "cannot be opened, read or written; the log says why"}};
}

Json listener(const Facts& facts) {
  const auto connected = facts.events.of(metrics::Gauge::kListenersConnected);
  const char* status = kOk;
  if (connected < facts.events.processes) status = kDegraded;
  if (connected == 0) status = kFail;
  return {{"status", status}, {"processes", facts.events.processes}, {"connected", connected}};
}

bool is_queue_stuck(const Facts& facts) {
  return is_reachable(facts) && facts.log->oldest_queued > kLongInQueue;
}

/// Other hosts may take the runs of one that only serves: what shows is whether somebody does.
Json workers(const Facts& facts) {
  const auto processes = facts.workers.processes;
  if (processes > 0) return {{"status", kOk}, {"processes", processes}};
  if (is_queue_stuck(facts))
    return {
        {"status", kFail}, {"processes", 0}, {"detail", "none here, and nobody takes the runs that wait"}};
  return {{"status", kDegraded}, {"processes", 0}, {"detail", "none here; runs are left to other hosts"}};
}

Json queue(const Facts& facts) {
  if (!is_reachable(facts)) return {{"status", kFail}, {"detail", "not known while postgres is away"}};
  return {{"status", is_queue_stuck(facts) ? kDegraded : kOk},
          {"queued", facts.log->queued},
          {"oldest_queued_s", facts.log->oldest_queued.count()}};
}

}  // namespace

Verdict judge(const Facts& facts) {
  const Json checks = {{"postgres", postgres(facts)}, {"schema", schema(facts)},   {"spool", spool(facts)},
                       {"listener", listener(facts)}, {"workers", workers(facts)}, {"queue", queue(facts)}};
  Verdict verdict;
  for (const auto& [name, entry] : checks.items())
    verdict.is_ready = verdict.is_ready && entry.at("status") != kFail;
  verdict.body = {{"ok", verdict.is_ready}, {"checks", checks}};
  return verdict;
}

}  // namespace gp::readiness
