#include "core/spool/spool_file.h"

#include <exception>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"

namespace gp::spool {
namespace {

constexpr std::chrono::seconds kRetry{1};
constexpr std::uintmax_t kLargeLog = 16 * 1024 * 1024;

/// Corrupt, no database, or a table of ours that is not there (SQLITE_ERROR is never anything else here: the
/// statements are fixed and each was prepared at open).
bool is_damage(const Error& error) {
  return error.kind() == ErrorKind::kConflict || error.code() == "SQLITE_1";
}

}  // namespace

SpoolFile::SpoolFile(std::string path, SpoolProfile profile, CarryOver carry_over)
    : path_(std::move(path)),
      profile_(profile),
      carry_over_(std::move(carry_over)),
      lock_(path_ + ".lock"),
      ballast_(path_ + ".ballast") {}

void SpoolFile::open() {
  attempt([this] { usable(); });
}

void SpoolFile::read(const Work& work) {
  attempt([&] { work(usable()); });
}

void SpoolFile::write(const Work& work) {
  attempt([&] {
    if (!connection_) reopen();  // before the lock: the check of the structure takes long
    const FileLock::Hold hold(lock_, profile_.patience);
    SpoolConnection& connection = usable();
    sqlite::Transaction transaction(connection.database());
    work(connection);
    transaction.commit();
  });
}

void SpoolFile::write_removal(const Work& work) {
  try {
    write(work);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kTooLarge || !ballast_.release()) throw;
    write(work);
    truncate_log();
  }
}

void SpoolFile::maintain() {
  std::error_code fault;
  const std::uintmax_t log_size = std::filesystem::file_size(path_ + "-wal", fault);
  if (!fault && log_size > kLargeLog) truncate_log();
  ballast_.fill();
}

/// What has been written stays written where this fails; the next maintain() tries again.
void SpoolFile::truncate_log() {
  try {
    attempt([this] {
      const FileLock::Hold hold(lock_, profile_.patience);
      usable().database().run_script("PRAGMA wal_checkpoint(TRUNCATE)");
    });
  } catch (const Error& error) {
    report::report(report::SpoolFailed{fmt::format("cannot cut the log back: {}", error.what())});
  }
}

namespace {

/// Tells at its end whether the use of the file that it was made for has failed.
class Outcome {
 public:
  Outcome() = default;
  ~Outcome() {
    metrics::set(metrics::Gauge::kSpoolFailing, std::uncaught_exceptions() > exceptions_ ? 1 : 0);
  }
  Outcome(const Outcome&) = delete;
  Outcome& operator=(const Outcome&) = delete;

 private:
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace

/// Uses the connection; where the file turns out to be damaged, once more on a new one.
void SpoolFile::attempt(const std::function<void()>& use) {
  const auto use_and_rewind = [&] {
    struct Rewound {
      std::unique_ptr<SpoolConnection>& connection;
      ~Rewound() {
        if (connection) connection->rewind();
      }
    } const rewound{connection_};
    use();
  };
  const Outcome outcome;
  try {
    use_and_rewind();
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    replace_damaged(error.what());
    use_and_rewind();
  }
}

SpoolConnection& SpoolFile::usable() {
  if (!connection_ || connection_->database().is_moved()) reopen();
  return *connection_;
}

void SpoolFile::reopen() {
  if (connection_) {
    report::report(report::SpoolSetAside{path_, "the file was removed or replaced"});
    former_ = std::move(connection_);
  }
  if (steady_now() < next_try_) throw Error(ErrorKind::kUnavailable, last_fault_);
  remember_fault([this] { connect(); });
  // After the lock is given back: it takes long on a large file, and nobody need wait for it.
  try {
    connection_->check_structure();
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    replace_damaged(error.what());
  }
}

void SpoolFile::remember_fault(const std::function<void()>& opening) {
  try {
    opening();
  } catch (const Error& error) {
    next_try_ = steady_now() + kRetry;
    last_fault_ = fmt::format("cannot open the spool '{}': {}", path_, error.what());
    throw Error(ErrorKind::kUnavailable, last_fault_, error.code());
  }
}

void SpoolFile::connect() {
  std::error_code fault;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), fault);
  const FileLock::Hold hold(lock_, profile_.patience);
  connection_ = open_or_replace();
  take_over();
  ballast_.fill();
}

std::unique_ptr<SpoolConnection> SpoolFile::open_or_replace() {
  // A log whose database is gone belongs to nobody, and the shared memory perhaps to processes that still
  // have the old file open; a new database must not share it.
  if (former_) former_->unlink_left_side_files();
  if (::access(path_.c_str(), F_OK) != 0) {
    for (const char* suffix : {"-wal", "-shm"}) ::unlink((path_ + suffix).c_str());
  }
  try {
    return open_with_room();
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    set_aside(error.what());
    return open_with_room();
  }
}

std::unique_ptr<SpoolConnection> SpoolFile::open_with_room() {
  try {
    return std::make_unique<SpoolConnection>(path_, profile_);
  } catch (const Error& error) {
    // Opening writes: the shared memory, the schema. On a full disk the ballast makes it possible.
    if (is_damage(error) || !ballast_.is_needed() || !ballast_.release()) throw;
    return std::make_unique<SpoolConnection>(path_, profile_);
  }
}

void SpoolFile::take_over() {
  if (!former_) return;
  try {
    if (carry_over_) carry_over_(*former_, *connection_);
  } catch (const Error& error) {
    report::report(report::SpoolFailed{fmt::format("not all was carried over: {}", error.what())});
  }
  former_.reset();
}

/// Where another process was first the path leads to its new file, and that is left alone.
void SpoolFile::replace_damaged(const std::string& reason) {
  const FileLock::Hold hold(lock_, profile_.patience);
  if (connection_ && !connection_->database().is_moved()) set_aside(reason);
  if (connection_) former_ = std::move(connection_);
  remember_fault([this] { connect(); });
}

/// The database stays open meanwhile where it could be opened at all: SQLite then leaves the log alone when
/// it is closed, instead of deleting by name one that belongs to the new file.
void SpoolFile::set_aside(const std::string& reason) {
  const std::string aside = fmt::format("{}.corrupt-{}", path_, format_rfc3339(wall_now()));
  std::error_code fault;
  std::filesystem::rename(path_, aside, fault);
  if (fault)
    throw Error(ErrorKind::kUnavailable, fmt::format("cannot set the spool aside: {}", fault.message()));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::rename(path_ + suffix, aside + suffix, fault);
  metrics::count(metrics::Counter::kSpoolSetAside);
  report::report(report::SpoolSetAside{aside, reason});
}

}  // namespace gp::spool
