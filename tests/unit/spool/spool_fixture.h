#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/spool/replay_cache.h"
#include "tests/support/shell.h"

/// What the tests of the spool share: a folder with a spool in it, events, and ways to damage a file.
namespace spool_test {

struct Fixture {
  support::TempFolder folder;
  std::string path = folder.path() + "/deep/spool.db";
};

/// "00000000-0000-4000-8000-00000000002a" for 42.
gp::RunId run_number(int number);

/// The events 1 ... `count` of a run; the last one is of type `last`, and each one's data is `filling` bytes
/// long at least and says which event it is.
std::vector<gp::spool::CachedEvent> events_of(int run, int count, const std::string& last = "run_completed",
                                              std::size_t filling = 0);

std::vector<std::int64_t> ids_of(const gp::spool::CachedTail& tail);

/// True where every event of the answer is, member by member, the one of `truth` with its id.
bool is_part_of(const gp::spool::CachedTail& tail, const std::vector<gp::spool::CachedEvent>& truth);

std::size_t files_set_aside(const std::string& path);

/// Runs `work` in a child process; its exit code, or -signal. An exception makes it 99.
int in_child(const std::function<void()>& work);
/// The same without waiting.
int start_child(const std::function<void()>& work);
int wait_for_child(int pid);

/// Writes into the file as something foreign would: from another process, because a process that closes a
/// file loses SQLite's locks on it.
void overwrite(const std::string& path, std::int64_t offset, const std::string& bytes);

/// Where `bytes` stand in the file; throws where they do not.
std::int64_t offset_of(const std::string& path, const std::string& bytes);

/// What goes to stderr during its lifetime.
class Reports {
 public:
  Reports();
  ~Reports();
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;
  std::size_t count(const std::string& name) const;  ///< lines that hold `name`

 private:
  support::TempFolder folder_;
  int former_;
};

/// A file system of its own of `bytes`, mounted at `path` for this process alone.
class SmallDisk {
 public:
  SmallDisk(std::string path, std::int64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool is_mounted() const { return is_mounted_; }  ///< false where this process must not mount
  void fill();                                     ///< somebody else's file takes all that is left
  void relax();                                    ///< and is removed

 private:
  std::string path_;
  bool is_mounted_ = false;
};

/// The create script of version 1, as it was released.
extern const char* const kVersion1;

}  // namespace spool_test
