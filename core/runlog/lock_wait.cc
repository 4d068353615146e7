#include "core/runlog/lock_wait.h"

#include <string_view>

#include <fmt/format.h>

#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kLockNotAvailable = "55P03";

}  // namespace

pg::Call limit_lock_wait(std::chrono::milliseconds patience, LockScope scope) {
  return {sql::kLimitLockWait, {fmt::format("{}ms", patience.count()), scope == LockScope::kTransaction}};
}

bool is_lock_timeout(const Error& error) { return error.code() == kLockNotAvailable; }

}  // namespace gp::runlog
