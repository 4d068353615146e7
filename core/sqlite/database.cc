#include "core/sqlite/database.h"

#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <sqlite3.h>

#include "core/base/error.h"

namespace gp::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;

sqlite3* db_of(void* handle) { return static_cast<sqlite3*>(handle); }
sqlite3_stmt* statement_of(void* handle) { return static_cast<sqlite3_stmt*>(handle); }

ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ErrorKind::kTooLarge;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kConflict;
    default:
      return ErrorKind::kUnavailable;
  }
}

/// https://sqlite.org/uri.html: what would end the path is escaped.
std::string as_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", c);
    } else {
      uri += c;
    }
  }
  return uri;
}

}  // namespace

void Database::Deleter::operator()(void* handle) const { sqlite3_close_v2(db_of(handle)); }
void Statement::Deleter::operator()(void* handle) const { sqlite3_finalize(statement_of(handle)); }

Database::Database(const std::string& path) : Database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {}

Database Database::open_to_read(const std::string& path) {
  std::error_code ignored;
  // Without a log SQLite would make one, and the shared memory, even for a reader.
  const bool has_log = std::filesystem::exists(path + "-wal", ignored);
  return {as_uri(path) + (has_log ? "" : "?immutable=1"), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI};
}

Database::Database(const std::string& name, int flags) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &opened, flags, nullptr);
  handle_.reset(opened);
  if (code != SQLITE_OK) fail(code);
  sqlite3_busy_timeout(opened, kBusyTimeoutMs);
}

void Database::set_patience(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(db_of(handle_.get()), static_cast<int>(patience.count()));
}

void Database::fail(int code) const {
  // SQLite knows ENOSPC as a full disk, and takes a user's quota for a fault of the disk. The errno is that
  // of the write that failed: nothing after it fails, and sqlite3_system_errno() misses that of a COMMIT
  // (3.40).
  const bool is_over_quota = (code & 0xff) == SQLITE_IOERR && errno == EDQUOT;
  throw Error(is_over_quota ? ErrorKind::kTooLarge : kind_of(code),
              fmt::format("SQLite: {}", sqlite3_errstr(code)), fmt::format("SQLITE_{}", code & 0xff));
}

void Database::run_script(std::string_view sql) {
  const int code = sqlite3_exec(db_of(handle_.get()), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::int64_t Database::number_of(std::string_view query) {
  Statement statement(*this, query);
  return statement.step() ? statement.number(0) : 0;
}

std::string Database::text_of(std::string_view query) {
  Statement statement(*this, query);
  return statement.step() ? statement.text(0) : std::string();
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(db_of(handle_.get())); }

bool Database::is_moved() const {
  int is_moved = 0;
  sqlite3_file_control(db_of(handle_.get()), "main", SQLITE_FCNTL_HAS_MOVED, &is_moved);
  return is_moved != 0;
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v2(db_of(database_.handle_.get()), sql.data(),
                                      static_cast<int>(sql.size()), &prepared, nullptr);
  handle_.reset(prepared);
  if (code != SQLITE_OK) database_.fail(code);
}

void Statement::bind(std::initializer_list<Value> values) {
  sqlite3_stmt* statement = statement_of(handle_.get());
  sqlite3_reset(statement);
  int place = 0;
  for (const Value& value : values) {
    ++place;
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, place, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      // The copy is SQLite's: the caller's string need not live until step().
      code = sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(statement, place);
    }
    if (code != SQLITE_OK) database_.fail(code);
  }
}

bool Statement::step() {
  const int code = sqlite3_step(statement_of(handle_.get()));
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(statement_of(handle_.get()));
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

void Statement::rewind() { sqlite3_reset(statement_of(handle_.get())); }

void Statement::run(std::initializer_list<Value> values) {
  bind(values);
  while (step()) {
  }
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_of(handle_.get()), column);
}

std::string Statement::text(int column) const {
  sqlite3_stmt* statement = statement_of(handle_.get());
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return bytes == nullptr
             ? std::string()
             : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_of(handle_.get()), column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.run_script("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!is_open_) return;
  try {
    database_.run_script("ROLLBACK");
  } catch (const Error&) {
    // SQLite has rolled back by itself (full disk, corruption).
  }
}

void Transaction::commit() {
  database_.run_script("COMMIT");
  is_open_ = false;
}

}  // namespace gp::sqlite
