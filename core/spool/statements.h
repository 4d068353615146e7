#pragma once

#include <string_view>

/// The statements of core/spool/sql, embedded at build time: one file each, its first comment says what the
/// parameters are.
namespace gp::spool::sql {

extern const std::string_view kCreateSpool;
extern const std::string_view kInsertHost;
extern const std::string_view kAppendStep;
extern const std::string_view kReadPending;
extern const std::string_view kRemoveEntry;
extern const std::string_view kAdoptSlots;

}  // namespace gp::spool::sql
