#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/pg/session.h"

struct pg_conn;    // libpq's PGconn
struct pg_result;  // libpq's PGresult

/// What the .cc files of this room share. Nothing outside includes it.
namespace gp::pg {

struct ConnDeleter {
  void operator()(pg_conn* conn) const;
};
struct ResultDeleter {
  void operator()(pg_result* result) const;
};
using ConnPtr = std::unique_ptr<pg_conn, ConnDeleter>;
using ResultPtr = std::unique_ptr<pg_result, ResultDeleter>;

/// A call in the shape that libpq takes it. Borrows the call.
struct WireCall {
  explicit WireCall(const Call& call);

  std::string name;
  std::string sql;
  std::vector<const char*> values;
  int count() const { return static_cast<int>(values.size()); }
};

/// Empty where `result` is no failure of a statement.
std::string sqlstate_of(const pg_result* result);

struct Result::Handle {
  ResultPtr result;

  int column(const char* name) const;  ///< throws Error(kBug) where there is none
};

struct Session::Impl {
  ConnPtr conn;
  std::set<std::string_view> prepared;
  bool is_pooled = false;  ///< each transaction may meet another server process: nothing is prepared by name

  std::chrono::milliseconds patience{0};  ///< for an answer; 0: without a limit

  bool is_broken() const;
  /// The answer to `call`, a failure included; by the name under which it was prepared, or parsed now.
  ResultPtr ask(const Call& call, bool by_name) const;
  /// May the failure with this SQLSTATE be one of an outdated plan, and was nothing done?
  bool may_be_outdated(std::string_view sqlstate) const;
  /// The statement's next use prepares it anew.
  void forget(const Statement& statement);
  /// Until libpq can be asked for an answer without blocking. One that is given up (patience) leaves the
  /// connection cut, which libpq finds out when it is asked.
  void wait_for_answer() const;
  /// The last answer of what was sent.
  ResultPtr take_answer() const;
  /// Throws what the failed `result` (null: the connection) means; see Session.
  [[noreturn]] void fail(const pg_result* result, std::string_view what) const;
  /// Takes an answer of libpq; throws where it is a failure.
  ResultPtr check(pg_result* raw, std::string_view what) const;
};

}  // namespace gp::pg
