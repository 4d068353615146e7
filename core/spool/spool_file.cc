#include "core/spool/spool_file.h"

#include <algorithm>
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
constexpr std::uintmax_t kMiB = 1024 * 1024;
constexpr std::uintmax_t kLargeLog = 16 * kMiB;
constexpr std::chrono::seconds kBetweenCuts{30};   ///< somebody may be reading all the time
constexpr std::chrono::seconds kBetweenTests{60};  ///< after a write that has failed
/// For who keeps the file busy and has been waited for. Longer than the turnstile takes with 4 saturated
/// writers.
constexpr std::chrono::milliseconds kBriefly{50};

/// Corrupt, no database, or a table of ours that is not there (SQLITE_ERROR is never anything else here: the
/// statements are fixed and each was prepared at open).
bool is_damage(const Error& error) {
  return error.kind() == ErrorKind::kConflict || error.code() == "SQLITE_1";
}

/// Waited in vain, for our lock or for SQLite's (SQLITE_BUSY), which somebody else's program takes alone.
bool is_busy(const Error& error) { return error.code() == FileLock::kBusy || error.code() == "SQLITE_5"; }

}  // namespace

SpoolFile::SpoolFile(std::string path, SpoolProfile profile, CarryOver carry_over)
    : path_(std::move(path)),
      profile_(profile),
      carry_over_(std::move(carry_over)),
      lock_(path_ + ".lock"),
      ballast_(path_ + ".ballast") {}

void SpoolFile::open() {
  attempt(Use::kRead, [this] { usable(); });
}

void SpoolFile::read(const Work& work) {
  attempt(Use::kRead, [&] { work(usable()); });
}

void SpoolFile::write(const Work& work) {
  attempt(Use::kWrite, [&] {
    usable();  // before the lock: the check of the structure takes long
    const FileLock::Hold hold(lock_, patience());
    SpoolConnection& connection = usable();
    connection.set_patience(patience());
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
    cut_log_back(log_size());
  }
}

std::chrono::milliseconds SpoolFile::patience() const {
  return is_kept_busy_ ? std::min(kBriefly, profile_.patience) : profile_.patience;
}

void SpoolFile::maintain() {
  look_after_log();
  ballast_.fill();
  test_writing();
}

void SpoolFile::look_after_log() {
  const std::uintmax_t size = log_size();
  if (size > kLargeLog) {
    if (steady_now() >= next_cut_) cut_log_back(size);
  } else if (std::exchange(reported_log_, 0) > 0) {
    report::report(report::SpoolBack{"spool.log"});
  }
}

/// What has been written stays written where this fails; a later one tries again.
void SpoolFile::cut_log_back(std::uintmax_t size) {
  next_cut_ = steady_now() + kBetweenCuts;
  std::int64_t kept = 0;
  try {
    attempt(Use::kWrite, [&] {
      usable();
      const FileLock::Hold hold(lock_, patience());
      kept = usable().cut_log_back();
    });
  } catch (const Error& error) {
    report::report(report::SpoolFailed{fmt::format("cannot cut the log back: {}", error.what())});
  }
  if (kept == 0 || size < 2 * reported_log_) return;
  reported_log_ = size;
  report::report(report::SpoolFailed{
      fmt::format("somebody who reads '{}' does not end; until then its log grows and takes up {} MiB now",
                  path_, size / kMiB)});
}

std::uintmax_t SpoolFile::log_size() const {
  std::error_code fault;
  const std::uintmax_t size = std::filesystem::file_size(path_ + "-wal", fault);
  return fault ? 0 : size;
}

void SpoolFile::test_writing() {
  if (!is_write_failing_ || steady_now() < next_test_) return;
  try {
    write([](SpoolConnection& connection) { connection.touch(); });
  } catch (const Error&) {
    // As it was; that it fails has been reported.
  }
}

/// A read that succeeds says nothing about writing: on a full disk every read does.
void SpoolFile::note(Use use, bool is_failing) {
  (use == Use::kRead ? is_read_failing_ : is_write_failing_) = is_failing;
  metrics::set(metrics::Gauge::kSpoolFailing, is_read_failing_ || is_write_failing_ ? 1 : 0);
}

void SpoolFile::attempt(Use use, const std::function<void()>& work) {
  try {
    mend_and_use(work);
  } catch (const Error& error) {
    if (is_busy(error)) is_kept_busy_ = true;
    if (use == Use::kWrite) next_test_ = steady_now() + kBetweenTests;
    note(use, true);
    throw;
  }
  if (use == Use::kWrite) is_kept_busy_ = false;
  note(use, false);
}

/// Uses the connection; where the file turns out to be damaged, once more on a new one.
void SpoolFile::mend_and_use(const std::function<void()>& work) {
  const auto use_and_rewind = [&] {
    struct Rewound {
      std::unique_ptr<SpoolConnection>& connection;
      ~Rewound() {
        if (connection) connection->rewind();
      }
    } const rewound{connection_};
    work();
  };
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
    former_ = std::exchange(connection_, nullptr);
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
  const FileLock::Hold hold(lock_, patience());
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
  SpoolProfile profile = profile_;
  profile.patience = patience();
  try {
    return std::make_unique<SpoolConnection>(path_, profile);
  } catch (const Error& error) {
    // Opening writes: the shared memory, the schema. On a full disk the ballast makes it possible.
    const bool is_full = error.kind() == ErrorKind::kTooLarge || ballast_.is_needed();
    if (is_damage(error) || !is_full || !ballast_.release()) throw;
    return std::make_unique<SpoolConnection>(path_, profile);
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
  const FileLock::Hold hold(lock_, patience());
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
