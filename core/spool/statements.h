#pragma once

#include <string_view>

/// The statements of core/spool/sql, embedded at build time: one file each, its first comment says what the
/// parameters are.
namespace gp::spool::sql {

// The schema.
extern const std::string_view kCreateHost;
extern const std::string_view kCreateOutbox;
extern const std::string_view kIndexOutbox;
extern const std::string_view kCreateEvents;
extern const std::string_view kBeginSequence;

// The host.
extern const std::string_view kInsertHost;
extern const std::string_view kSetHost;
extern const std::string_view kReadHost;

// The outbox.
extern const std::string_view kAppendStep;
extern const std::string_view kCarryStep;
extern const std::string_view kReadPending;
extern const std::string_view kReadPendingBeside;
extern const std::string_view kReadUnconfirmed;
extern const std::string_view kReadStepsOfLease;
extern const std::string_view kReadStepEvent;
extern const std::string_view kRemoveEntry;
extern const std::string_view kRefuseEntry;
extern const std::string_view kCountRefused;
extern const std::string_view kForgetRefused;
extern const std::string_view kCountOutbox;
extern const std::string_view kAdoptSlot;
extern const std::string_view kReadSlots;
extern const std::string_view kNewestEntry;

// The confirmed events.
extern const std::string_view kInsertEvent;
extern const std::string_view kReadTail;
extern const std::string_view kReadNewest;
extern const std::string_view kFindReach;
extern const std::string_view kRemoveRun;
extern const std::string_view kEvictOldest;
extern const std::string_view kEvictOlder;
extern const std::string_view kReadOldestTime;
extern const std::string_view kListRuns;

}  // namespace gp::spool::sql
