#include "core/runlog/lock_wait.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kInsufficientPrivilege = "42501";

void prepare_impatiently(pg::Session& session, const pg::Statement& statement) {
  pg::Transaction transaction(session);
  session.run(limit_lock_wait(kLockPatience, LockScope::kTransaction));
  session.prepare(statement);
  transaction.commit();
}

}  // namespace

pg::Call limit_lock_wait(std::chrono::milliseconds patience, LockScope scope) {
  return {sql::kLimitLockWait, {fmt::format("{}ms", patience.count()), scope == LockScope::kTransaction}};
}

pg::Result run_impatiently(pg::Session& session, const pg::Call& call) {
  if (!session.is_prepared(call.statement)) prepare_impatiently(session, call.statement);
  const std::array<pg::Call, 2> calls = {{limit_lock_wait(kLockPatience, LockScope::kTransaction), call}};
  return session.run_together(calls).back();
}

bool is_away(const Error& error) {
  return error.kind() == ErrorKind::kUnavailable || error.kind() == ErrorKind::kInDoubt;
}

bool is_lock_timeout(const Error& error) { return error.code() == kLockNotAvailable; }

bool is_right_missing(const Error& error) { return error.code() == kInsufficientPrivilege; }

}  // namespace gp::runlog
