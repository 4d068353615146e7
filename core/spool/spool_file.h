#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/spool/ballast.h"
#include "core/spool/file_lock.h"
#include "core/spool/spool_connection.h"

namespace gp::spool {

/// The host's SQLite spool as one of its users sees it: a connection that survives what happens to the file.
///
/// Before each use the file is compared with the one at its path; one that was unlinked or replaced is
/// opened anew. One that turns out to be corrupt or of a foreign schema is set aside as
/// "<path>.corrupt-<time>" with its log, reported, and made anew. All of this, and every write, happens under
/// "<path>.lock" (FileLock), and a file is set aside only while the path still leads to the one that failed:
/// two processes that find the same damage do not set aside each other's fresh file, and nothing is
/// committed into a file that has just been set aside.
///
/// Whoever keeps the file busy - a process that was stopped, somebody's open transaction - is waited for once
/// as long as the profile says; afterwards writers try for a moment only, until one succeeds.
///
/// Not thread-safe. Make it after fork. Works on local disks only (the shared memory of the log). One in a
/// process: it sets the gauge of failing spools, to 1 where its last read or its last write has failed.
/// Errors: Error(kTooLarge) where the quota or the disk is full, Error(kUnavailable) for everything else; a
/// damaged file is nothing the caller sees, unless the new one is damaged too.
class SpoolFile {
 public:
  /// May run twice, the second time on a new file: it starts its results afresh.
  using Work = std::function<void(SpoolConnection&)>;
  /// Takes over what can still be read of a former connection's file. Best effort; its errors are reported.
  using CarryOver = std::function<void(SpoolConnection& former, SpoolConnection& fresh)>;

  /// Touches nothing yet.
  SpoolFile(std::string path, SpoolProfile profile, CarryOver carry_over = nullptr);

  /// Opens or makes the file and its folder, and checks its structure. The other calls do it where it has
  /// not been done. After a failure the same error again for one second, without looking at the disk.
  void open();

  /// Reads; waits for nobody. Statements that are left half-way are ended afterwards.
  void read(const Work& work);
  /// Runs `work` in one IMMEDIATE transaction under the file's lock.
  void write(const Work& work);
  /// The same for work that only removes: on a full disk it gives the ballast back and tries again.
  void write_removal(const Work& work);

  /// Writes something where the last write failed a minute ago and nothing was written since: else the gauge
  /// would say so until somebody has something to write. Best effort.
  void test_writing();

  /// What keeps the file in shape: cuts a write-ahead log back that is larger than 16 MiB, fills the ballast
  /// again, and tests writing. Best effort; call it now and then.
  ///
  /// The log can be used from its beginning again once everything in it is in the file, which a reader that
  /// stays at an old state prevents: then it grows by everything that is written, without a limit but the
  /// disk's. That waits for nobody, and is reported, again each time the log has doubled.
  void maintain();

 private:
  enum class Use { kRead, kWrite };

  void attempt(Use use, const std::function<void()>& work);
  void mend_and_use(const std::function<void()>& work);
  void note(Use use, bool is_failing);
  std::chrono::milliseconds patience() const;
  SpoolConnection& usable();
  void reopen();
  void remember_fault(const std::function<void()>& opening);
  void connect();
  std::unique_ptr<SpoolConnection> open_or_replace();
  std::unique_ptr<SpoolConnection> open_with_room();
  void take_over();
  void replace_damaged(const std::string& reason);
  void set_aside(const std::string& reason);
  void look_after_log();
  void cut_log_back(std::uintmax_t size);
  std::uintmax_t log_size() const;

  std::string path_;
  SpoolProfile profile_;
  CarryOver carry_over_;
  FileLock lock_;
  Ballast ballast_;
  std::unique_ptr<SpoolConnection> connection_;  ///< none: not opened, or it failed
  std::unique_ptr<SpoolConnection> former_;      ///< of a file that is gone, until it has been carried over
  SteadyTime next_try_{};
  std::string last_fault_;
  bool is_read_failing_ = false;
  bool is_write_failing_ = false;
  bool is_kept_busy_ = false;        ///< the last write waited in vain
  SteadyTime next_test_{};           ///< of writing, where it fails
  SteadyTime next_cut_{};            ///< of the log
  std::uintmax_t reported_log_ = 0;  ///< its size when that was reported; 0: it is as it should be
};

}  // namespace gp::spool
