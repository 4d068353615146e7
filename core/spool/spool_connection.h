#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/sqlite/database.h"

namespace gp::spool {

/// How a user of the spool file wants its connection.
struct SpoolProfile {
  bool is_durable =
      true;  ///< true: synchronous=FULL; false: NORMAL, a power failure may take the last commits
  std::int64_t max_bytes =
      536870912;  ///< quota of the file as this connection sees it; needs a FULL page more
  std::chrono::milliseconds patience{5000};  ///< longest wait for another process, twice at most per write
};

/// One connection to the spool file, its pragmas, its schema, and its statements. Not thread-safe; made after
/// fork. Call the constructor while holding the file's FileLock. Errors as of sqlite::Database.
class SpoolConnection {
 public:
  /// Opens or makes the file at `path`; upgrades a version 1 in place. Throws Error(kConflict) for any other
  /// version or schema.
  SpoolConnection(const std::string& path, const SpoolProfile& profile);

  sqlite::Database& database() { return database_; }
  /// The statement `sql`, one of core/spool/sql, prepared at its first use.
  sqlite::Statement& prepared(std::string_view sql);
  /// Ends what statements are still reading.
  void rewind();

  /// Reads the whole structure of the file, without a lock: about 1 s per GiB. Throws Error(kConflict).
  void check_structure();

  /// The quota in pages.
  std::int64_t max_pages() const { return max_pages_; }
  /// Holds a file that was larger than the quota when it was opened, and has become smaller, to its present
  /// size.
  void tighten_quota();

  /// Waits so long for other processes' locks from now on.
  void set_patience(std::chrono::milliseconds patience) { database_.set_patience(patience); }

  /// Moves the write-ahead log into the file and cuts it back, as far as that waits for nobody. Returns how
  /// many of its pages a reader keeps in the log. Call it while holding the file's FileLock.
  std::int64_t cut_log_back();

  /// Writes, inside a transaction, and changes nothing: whether writing works.
  void touch();

  /// Unlinks the write-ahead log and the shared memory file at the path if they are this connection's own:
  /// called when the database has been moved away, because SQLite would apply a log to whatever database
  /// stands beside it.
  void unlink_left_side_files() const;

 private:
  void set_pragmas();
  void make_schema();
  void set_quota();

  std::string path_;
  SpoolProfile profile_;
  sqlite::Database database_;
  std::map<const char*, sqlite::Statement> statements_;  ///< by the address of their text
  std::int64_t max_pages_ = 0;
  bool is_over_quota_ = false;  ///< the file was larger when the quota was set
  ino_t log_inode_ = 0;
  ino_t shared_memory_inode_ = 0;
};

}  // namespace gp::spool
