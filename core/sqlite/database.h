#pragma once

#include <chrono>
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
  /// Ends reading before the last row: a statement left half-way keeps its snapshot open.
  void rewind();
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
/// Errors: full disk or quota (SQLITE_FULL, or EDQUOT of the file system): Error(kTooLarge); corrupt or no
/// database (SQLITE_CORRUPT, SQLITE_NOTADB): Error(kConflict); everything else: Error(kUnavailable). The code
/// is "SQLITE_<number>".
class Database {
 public:
  /// Opens or makes the file; waits up to 5 s for other processes' locks.
  explicit Database(const std::string& path);

  /// Opens the file to read it, and changes and makes nothing. One that has a write-ahead log is read with
  /// it, as those do who have it open; one that has none is in nobody's use and taken as it is. Throws
  /// Error(kUnavailable) where there is none.
  static Database open_to_read(const std::string& path);

  /// Waits so long for other processes' locks from now on.
  void set_patience(std::chrono::milliseconds patience);

  void run_script(std::string_view sql);
  std::int64_t number_of(std::string_view query);  ///< the first column of the first row
  std::string text_of(std::string_view query);
  std::int64_t changed_rows() const;  ///< by the last INSERT, UPDATE or DELETE that ended

  /// True where the file that is open is no longer the one at its path (unlinked, renamed, replaced): SQLite
  /// itself would go on writing into it without a word. One stat(2); the inode is ours as long as it is open,
  /// so that a new file cannot have the same.
  bool is_moved() const;

 private:
  friend class Statement;
  struct Deleter {
    void operator()(void* handle) const;
  };
  Database(const std::string& name, int flags);
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
