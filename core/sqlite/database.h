#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace gp::sqlite {

/// A value bound to ?1, ?2 ...
using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;

class Database;

/// One prepared statement, reusable. Not thread-safe. Must not outlive its database.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);

  /// Binds every parameter and rewinds.
  void bind(std::initializer_list<Value> values);
  /// Goes to the next row; false at the end, after which the statement is rewound.
  bool step();
  /// bind and run to the end, for statements without rows.
  void run(std::initializer_list<Value> values);

  std::int64_t number(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  struct Deleter {
    void operator()(void* handle) const;
  };
  Database& database_;
  std::unique_ptr<void, Deleter> handle_;
};

/// One connection to a database file. Not thread-safe; never crosses a fork (SQLite forbids it).
/// Errors: full disk or quota (SQLITE_FULL): Error(kTooLarge); corrupt or no database (SQLITE_CORRUPT,
/// SQLITE_NOTADB): Error(kConflict); everything else: Error(kUnavailable). The code is "SQLITE_<number>".
class Database {
 public:
  /// Opens or makes the file; waits up to 5 s for other processes' locks.
  explicit Database(const std::string& path);

  void run_script(std::string_view sql);
  std::int64_t number_of(std::string_view query);  ///< the first column of the first row
  std::string text_of(std::string_view query);

 private:
  friend class Statement;
  struct Deleter {
    void operator()(void* handle) const;
  };
  [[noreturn]] void fail(int code) const;
  std::unique_ptr<void, Deleter> handle_;
};

/// BEGIN IMMEDIATE at construction, so that it never fails half-way for a lock; ROLLBACK at destruction
/// unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace gp::sqlite
