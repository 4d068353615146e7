#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/pg/statement.h"

namespace gp::pg {

/// One parameter in PostgreSQL's text format; nothing is SQL NULL.
class Param {
 public:
  Param(std::nullopt_t) {}                             // NOLINT: implicit by design, see Session::run
  Param(std::string text) : text_(std::move(text)) {}  // NOLINT
  Param(std::string_view text) : text_(text) {}        // NOLINT
  Param(const char* text) : text_(text) {}             // NOLINT
  Param(std::int64_t number) : text_(std::to_string(number)) {}   // NOLINT
  Param(int number) : text_(std::to_string(number)) {}            // NOLINT
  Param(bool value) : text_(value ? "t" : "f") {}                 // NOLINT
  Param(const std::optional<std::string>& text) : text_(text) {}  // NOLINT

  /// An array parameter (text[], uuid[], bigint[]): every element quoted, so any text is safe.
  static Param array(const std::vector<std::string>& elements);

  const char* value() const noexcept { return text_ ? text_->c_str() : nullptr; }

 private:
  std::optional<std::string> text_;
};

/// The rows of one answer. Owns them; independent of its session.
class Result {
 public:
  int size() const noexcept;
  bool empty() const noexcept { return size() == 0; }
  /// Rows that an INSERT, UPDATE or DELETE touched.
  std::int64_t affected() const;

  bool is_null(int row, const char* column) const;
  std::string text(int row, const char* column) const;  ///< throws Error(kBug) where NULL or no such column
  std::int64_t number(int row, const char* column) const;
  bool flag(int row, const char* column) const;

 private:
  friend class Session;
  struct Handle;
  explicit Result(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<Handle> handle_;  ///< shared by copies of this Result; immutable
};

/// A statement and what to run it with. Borrows the statement.
struct Call {
  const Statement& statement;
  std::vector<Param> params;
};

struct Notification {
  std::string channel;
  std::string payload;
};

/// One connection to PostgreSQL. Not thread-safe; never crosses a fork. A session whose connection broke
/// stays broken: drop it.
///
/// Errors: connection lost, server shutting down or starting, too many connections: Error(kUnavailable); the
/// connection lost during COMMIT: kInDoubt; serialization failure, deadlock, statement timeout: kUnavailable
/// as well (try again), and so a right that the role lacks (an operator may grant it at any time); everything
/// else: kBug with the SQLSTATE as code. Messages hold the server's primary message only, never DETAIL,
/// values or the password.
///
/// Texts are UTF-8 in both directions, whatever the encoding of the server's database.
///
/// Isolation and timeouts (of statements, locks and idle sessions) are ours, whatever is set on the role or
/// the database. Behind a pooler (pgbouncer, in transaction mode too) these are the server's, and nothing is
/// prepared by name, since the next transaction may meet another server process: each statement is parsed
/// again. SET and LISTEN need a direct session.
///
/// The types of a prepared statement's parameters are those that the tables had when it was prepared. One
/// that fails as it may where a column has another type by now is parsed again and repeated once, where
/// nothing of it can have happened: not within a Transaction, for which there is run_unprepared().
class Session {
 public:
  /// Connects (blocking; connect_timeout 5 s per host unless the string sets one, and 5 s more for the answer
  /// to a first statement). `application` becomes application_name.
  Session(const Secret& conninfo, const std::string& application);
  ~Session();

  /// From now on an answer that has not come after so long is none: the connection is given up as a lost one.
  /// TCP notices a host that is gone, but not a server process that stands still, or a disk under it.
  /// Without, an answer is waited for without a limit. What is sent is not limited.
  void give_up_after(std::chrono::milliseconds patience);

  /// Runs a prepared statement; prepares it at its first use in this session.
  Result run(const Statement& statement, std::initializer_list<Param> params = {});

  Result run(const Call& call);

  /// The same with a statement that is parsed for this call alone, by what its tables are now.
  Result run_unprepared(const Call& call);

  /// Runs several statements in one round trip and, outside of a Transaction, as one transaction: all of them
  /// or none. Each sees what those before it did. Answers in their order; throws for the first that failed,
  /// and Error(kInDoubt) where the connection broke before the answers came.
  std::vector<Result> run_together(std::span<const Call> calls);

  /// Only prepares (nothing behind a pooler): a test does this for every statement.
  void prepare(const Statement& statement);

  /// False: its next use prepares it first, which waits for locks on its tables as running it does.
  bool is_prepared(const Statement& statement) const;

  /// Runs a fixed script without parameters, possibly of several commands: migrations, SET, BEGIN ... never
  /// with data in it.
  void run_script(std::string_view sql);

  void listen(std::string_view channel);  ///< an identifier of ours
  /// Waits until a notification came, `wake_fd` (-1: none) is readable, or `timeout` passed; returns what has
  /// come.
  std::vector<Notification> wait(std::chrono::milliseconds timeout, int wake_fd);

  bool is_broken() const;

  /// A pooler is between: pgbouncer and its kin, in whichever mode.
  bool is_pooled() const;

 private:
  friend class Transaction;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// BEGIN at construction, read committed whatever the default; ROLLBACK at destruction unless commit() was
/// called.
class Transaction {
 public:
  explicit Transaction(Session& session);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Throws Error(kInDoubt) where the connection broke before the answer came: the change may or may not have
  /// happened.
  void commit();

 private:
  Session& session_;
  bool is_open_ = true;
};

/// A session that is made at first use and again after it broke. A server that cannot be reached is found out
/// once and not by each of many questions in a row: what making a session has failed with is thrown again,
/// without another attempt, for as long as the attempt took (5 s at most; nothing where it was refused at
/// once).
class SessionHolder {
 public:
  /// What is done with each new session before anybody gets it; one for which it throws is given up.
  using OnConnect = std::function<void(Session&)>;

  SessionHolder(Secret conninfo, std::string application, OnConnect on_connect = nullptr)
      : conninfo_(std::move(conninfo)),
        application_(std::move(application)),
        on_connect_(std::move(on_connect)) {}

  /// True where this call connected: a caller that needs LISTEN or SET does it then.
  bool ensure();
  Session& get() {
    ensure();
    return *session_;
  }
  void drop() noexcept { session_.reset(); }

 private:
  void connect();

  Secret conninfo_;
  std::string application_;
  OnConnect on_connect_;
  std::unique_ptr<Session> session_;
  std::optional<Error> fault_;  ///< of the last attempt
  SteadyTime next_try_{};
};

}  // namespace gp::pg
