#include "core/spool/spool_connection.h"

#include <string_view>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "spool_schema.h"
#include "spool_sql.h"

namespace gp::spool {
namespace {

constexpr std::int64_t kVersion = 2;
constexpr std::int64_t kVersionWithoutEvents = 1;

/// 0: there is no such file.
ino_t inode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

void unlink_if(const std::string& path, ino_t inode) {
  if (inode != 0 && inode_of(path) == inode) ::unlink(path.c_str());
}

std::int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(wall_now().time_since_epoch()).count();
}

/// A schema that is not ours may bear our version: each statement must fit it.
void check_schema(sqlite::Database& database) {
  for (const std::string_view* statement : sql::all()) sqlite::Statement(database, *statement);
}

}  // namespace

SpoolConnection::SpoolConnection(const std::string& path, const SpoolProfile& profile)
    : path_(path), profile_(profile), database_(path) {
  set_pragmas();
  make_schema();
  set_quota();
  check_schema(database_);
  log_inode_ = inode_of(path + "-wal");
  shared_memory_inode_ = inode_of(path + "-shm");
}

void SpoolConnection::set_pragmas() {
  database_.set_patience(profile_.patience);
  // Of a new file: one that has tables stays as it was made.
  database_.run_script("PRAGMA auto_vacuum = INCREMENTAL");
  database_.run_script(profile_.is_durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  // The log is cut back to this after a checkpoint; it grows beyond where a reader holds the checkpoint up.
  database_.run_script("PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216");
}

/// Per connection, not per file; SQLite raises it to what the file has already. At it inserting fails and
/// removing works; on a full disk both fail.
void SpoolConnection::set_quota() {
  max_pages_ = profile_.max_bytes / database_.number_of("PRAGMA page_size");
  is_over_quota_ = database_.number_of(fmt::format("PRAGMA max_page_count = {}", max_pages_)) > max_pages_;
}

void SpoolConnection::tighten_quota() {
  if (is_over_quota_) set_quota();
}

/// https://sqlite.org/pragma.html#pragma_wal_checkpoint: TRUNCATE waits for readers and writers as long as
/// the connection is patient, and does what PASSIVE does where they are in the way. The row: was it so, the
/// pages in the log, those of them that are in the file.
std::int64_t SpoolConnection::cut_log_back() {
  struct Impatient {
    SpoolConnection& connection;
    explicit Impatient(SpoolConnection& each) : connection(each) {
      connection.set_patience(std::chrono::milliseconds(0));
    }
    ~Impatient() { connection.set_patience(connection.profile_.patience); }
    Impatient(const Impatient&) = delete;
    Impatient& operator=(const Impatient&) = delete;
  } const impatient(*this);
  sqlite::Statement checkpoint(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
  return checkpoint.step() ? checkpoint.number(1) - checkpoint.number(2) : 0;
}

void SpoolConnection::touch() { database_.run_script(fmt::format("PRAGMA user_version = {}", kVersion)); }

void SpoolConnection::make_schema() {
  sqlite::Transaction transaction(database_);
  const std::int64_t version = database_.number_of("PRAGMA user_version");
  if (version == kVersion) return;
  if (version == 0 && database_.number_of("PRAGMA schema_version") == 0) {
    for (const std::string_view sql : {schema::kCreateHost, schema::kCreateOutbox, schema::kIndexOutbox})
      database_.run_script(sql);
    sqlite::Statement(database_, sql::kInsertHost).run({make_uuid()});
    sqlite::Statement(database_, schema::kBeginSequence).run({microseconds_now()});
  } else if (version != kVersionWithoutEvents) {
    throw Error(ErrorKind::kConflict,
                fmt::format("the spool has version {}, this program knows {}", version, kVersion));
  }
  database_.run_script(schema::kCreateEvents);
  database_.run_script(fmt::format("PRAGMA user_version = {}", kVersion));
  transaction.commit();
}

sqlite::Statement& SpoolConnection::prepared(std::string_view sql) {
  return statements_.try_emplace(sql.data(), database_, sql).first->second;
}

void SpoolConnection::rewind() {
  for (auto& [text, statement] : statements_) statement.rewind();
}

void SpoolConnection::check_structure() {
  if (database_.text_of("PRAGMA quick_check(1)") != "ok")
    throw Error(ErrorKind::kConflict, "the spool is corrupt");
}

void SpoolConnection::unlink_left_side_files() const {
  unlink_if(path_ + "-wal", log_inode_);
  unlink_if(path_ + "-shm", shared_memory_inode_);
}

}  // namespace gp::spool
