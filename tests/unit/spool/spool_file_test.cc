#include "core/spool/spool_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/spool/events_table.h"
#include "spool_sql.h"
#include "tests/unit/spool/spool_fixture.h"

using gp::spool::FileLock;
using gp::spool::SpoolConnection;
using gp::spool::SpoolFile;
using gp::spool::SpoolProfile;
using namespace spool_test;
using std::chrono::milliseconds;

namespace {

/// Patient, because a disk that others keep busy may take seconds for one fsync.
constexpr SpoolProfile kQuick{.is_durable = false, .patience = std::chrono::minutes(1)};

struct FileFixture : Fixture {
  FileFixture() { std::filesystem::create_directories(std::filesystem::path(path).parent_path()); }

  static void put(SpoolFile& file, int run, std::size_t filling = 0) {
    file.write([=](SpoolConnection& connection) {
      for (const auto& event : events_of(run, 1, "error", filling))
        insert_event(connection, event, gp::wall_now());
    });
  }

  static std::int64_t count(SpoolFile& file) {
    std::int64_t rows = 0;
    file.read([&](SpoolConnection& connection) {
      rows = connection.database().number_of("SELECT count(*) FROM events");
    });
    return rows;
  }

  int written = 0;  ///< runs, so that no two have one number

  std::int64_t version() const { return gp::sqlite::Database(path).number_of("PRAGMA user_version"); }
};

/// Numbers that a process and its children share.
template <class Number, std::size_t kCount>
class Shared {
 public:
  Shared()
      : numbers_(new (::mmap(nullptr, sizeof(Numbers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                             0)) Numbers{}) {}
  ~Shared() { ::munmap(numbers_, sizeof(Numbers)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  std::atomic<Number>& operator[](std::size_t i) { return (*numbers_)[i]; }

 private:
  using Numbers = std::array<std::atomic<Number>, kCount>;
  Numbers* numbers_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(spool_file, FileFixture)

BOOST_AUTO_TEST_CASE(a_new_file_has_this_version_and_an_identity) {
  SpoolFile file(path, kQuick);
  file.open();
  BOOST_TEST(version() == 2);
  BOOST_TEST(gp::sqlite::Database(path).text_of("SELECT spool_id FROM host").size() == 36u);
}

BOOST_AUTO_TEST_CASE(a_first_write_makes_the_folder_too) {
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
  SpoolFile file(path, kQuick);
  put(file, 1);
  BOOST_TEST(count(file) == 1);
}

BOOST_AUTO_TEST_CASE(a_zero_length_file_becomes_a_new_spool) {
  std::ofstream{path};
  SpoolFile file(path, kQuick);
  put(file, 1);
  BOOST_TEST(count(file) == 1);
  BOOST_TEST(version() == 2);
}

BOOST_AUTO_TEST_CASE(a_version_1_is_upgraded_in_place_and_keeps_its_rows) {
  {
    gp::sqlite::Database old(path);
    old.run_script(kVersion1);
    old.run_script(
        "INSERT INTO host VALUES ('the-host');"
        "INSERT INTO outbox (slot, run_id, token, event_id, type, data, document)"
        " VALUES (3, 'r', 't', 1, 'run_started', '{}', 'd1'), (3, 'r', 't', 2, 'run_started', '{}', 'd2')");
  }
  SpoolFile file(path, kQuick);
  put(file, 1);
  BOOST_TEST(count(file) == 1);
  BOOST_TEST(version() == 2);
  BOOST_TEST(files_set_aside(path) == 0u);
  gp::sqlite::Database now(path);
  BOOST_TEST(now.text_of("SELECT spool_id FROM host") == "the-host");
  BOOST_TEST(now.text_of("SELECT group_concat(document) FROM outbox WHERE slot = 3") == "d1,d2");
}

BOOST_AUTO_TEST_CASE(processes_that_open_a_version_1_at_once_upgrade_it_once) {
  gp::sqlite::Database(path).run_script(std::string(kVersion1) + "INSERT INTO host VALUES ('the-host')");
  std::vector<int> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(start_child([&, i] {
      SpoolFile file(path, kQuick);
      put(file, i);
    }));
  for (const int child : children) BOOST_TEST(wait_for_child(child) == 0);
  SpoolFile file(path, kQuick);
  BOOST_TEST(count(file) == 4);
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(any_other_version_is_set_aside) {
  for (const char* version : {"3", "999", "-1"}) {
    gp::sqlite::Database(path).run_script(std::string("PRAGMA user_version = ") + version);
    SpoolFile file(path, kQuick);
    BOOST_TEST(count(file) == 0);
    BOOST_TEST(files_set_aside(path) == 1u);
    std::filesystem::remove_all(std::filesystem::path(path).parent_path());
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  }
}

BOOST_AUTO_TEST_CASE(a_foreign_schema_is_set_aside_whatever_its_version_says) {
  for (const char* version : {"0", "1", "2"}) {
    gp::sqlite::Database(path).run_script(std::string("CREATE TABLE events (other); PRAGMA user_version = ") +
                                          version);
    SpoolFile file(path, kQuick);
    put(file, 1);
    BOOST_TEST(count(file) == 1);
    BOOST_TEST(files_set_aside(path) == 1u);
    std::filesystem::remove_all(std::filesystem::path(path).parent_path());
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  }
}

BOOST_AUTO_TEST_CASE(a_header_that_is_overwritten_while_the_file_is_open_costs_the_file) {
  SpoolFile file(path, kQuick);
  for (int i = 0; i < 5; ++i) put(file, i);
  BOOST_TEST(in_child([this] { gp::sqlite::Database(path).run_script("PRAGMA wal_checkpoint(TRUNCATE)"); }) ==
             0);
  overwrite(path, 0, std::string(4096, 'x'));
  BOOST_TEST(in_child([this] { gp::sqlite::Database(path).run_script("SELECT 1"); }) == 0);
  SpoolFile another(path, kQuick);  // this one sees it
  put(another, 10);
  put(file, 11);
  BOOST_TEST(count(file) == 2);
  BOOST_TEST(count(another) == 2);
  BOOST_TEST(files_set_aside(path) == 1u);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_emptied_while_it_is_open_is_made_anew) {
  SpoolFile file(path, kQuick);
  put(file, 1);
  BOOST_TEST(in_child([this] { gp::sqlite::Database(path).run_script("PRAGMA wal_checkpoint(TRUNCATE)"); }) ==
             0);
  std::filesystem::resize_file(path, 0);
  put(file, 2);
  SpoolFile another(path, kQuick);
  put(another, 3);
  BOOST_TEST(count(another) == count(file));
  BOOST_TEST(count(file) >= 2);
}

BOOST_AUTO_TEST_CASE(processes_that_find_the_same_damage_set_the_file_aside_once) {
  constexpr int kProcesses = 4;
  constexpr int kRows = 20;
  {
    SpoolFile file(path, kQuick);
    for (int run = 0; run < 2000; ++run) put(file, run, 2000);  // more than SQLite keeps in memory
  }
  Shared<int, 2> shared;
  std::vector<int> children;
  for (int i = 0; i < kProcesses; ++i)
    children.push_back(start_child([&, i] {
      SpoolFile file(path, kQuick);
      file.open();
      ++shared[0];
      while (shared[1] == 0) std::this_thread::yield();
      file.read([](SpoolConnection& connection) {
        connection.database().number_of("SELECT sum(length(data)) FROM events");
      });
      for (int run = 0; run < kRows; ++run) put(file, 10000 + i * 100 + run);
    }));
  while (shared[0] < kProcesses) std::this_thread::yield();
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  overwrite(path, 4096, std::string(static_cast<std::size_t>(size - 4096), '\x5a'));
  shared[1] = 1;
  for (const int child : children) BOOST_TEST(wait_for_child(child) == 0);
  BOOST_TEST(files_set_aside(path) == 1u);
  SpoolFile file(path, kQuick);
  BOOST_TEST(count(file) == kProcesses * kRows);
  BOOST_TEST(files_set_aside(path) == 1u);
}

BOOST_AUTO_TEST_CASE(a_damage_that_another_has_dealt_with_leaves_its_new_file_alone) {
  SpoolFile first(path, kQuick);
  SpoolFile second(path, kQuick);
  put(first, 1);
  put(second, 2);
  const auto fails_once = [runs = 0](SpoolConnection&) mutable {
    if (runs++ == 0) throw gp::Error(gp::ErrorKind::kConflict, "damage");
  };
  first.read(fails_once);
  put(first, 3);
  second.read([&, runs = 0](SpoolConnection&) mutable {
    // Between its look at the path and its finding, the other one has replaced the file again.
    if (runs++ > 0) return;
    first.read(fails_once);
    put(first, 4);
    throw gp::Error(gp::ErrorKind::kConflict, "damage");
  });
  BOOST_TEST(files_set_aside(path) == 2u);
  BOOST_TEST(count(second) == 1);
  BOOST_TEST(count(first) == 1);
}

BOOST_AUTO_TEST_CASE(damage_that_remains_is_said_after_one_more_try) {
  SpoolFile file(path, kQuick);
  int runs = 0;
  BOOST_CHECK_THROW(file.read([&](SpoolConnection&) {
    ++runs;
    throw gp::Error(gp::ErrorKind::kConflict, "damage");
  }),
                    gp::Error);
  BOOST_TEST(runs == 2);
}

BOOST_AUTO_TEST_CASE(a_log_left_by_a_removed_file_is_not_applied_to_the_new_one) {
  SpoolFile old(path, kQuick);
  for (int run = 0; run < 50; ++run) put(old, run);
  std::filesystem::remove(path);
  // While the old one is still open, with its log and its shared memory beside the path. In another process:
  // in this one the system's locks would not tell the two apart.
  const int code = in_child([this] {
    SpoolFile fresh(path, kQuick);
    put(fresh, 100);
    if (count(fresh) != 1) throw std::runtime_error("the new file is not a new one");
  });
  BOOST_TEST(code == 0);
  BOOST_TEST(count(old) == 1);
  put(old, 101);
  BOOST_TEST(gp::sqlite::Database(path).text_of("PRAGMA integrity_check") == "ok");
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_removed_file_held_can_be_carried_over) {
  std::int64_t rows = 0;
  SpoolFile file(path, kQuick, [&](SpoolConnection& former, SpoolConnection&) {
    rows = former.database().number_of("SELECT count(*) FROM events");
  });
  for (int run = 0; run < 50; ++run) put(file, run);
  std::filesystem::remove(path);
  put(file, 100);
  BOOST_TEST(rows == 50);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_not_tried_at_every_call) {
  const std::string blocked = folder.path() + "/file/spool.db";
  std::ofstream(folder.path() + "/file") << "x";
  SpoolFile file(blocked, kQuick);
  BOOST_CHECK_THROW(file.open(), gp::Error);
  std::filesystem::remove(folder.path() + "/file");
  BOOST_CHECK_THROW(file.open(), gp::Error);  // within the second
}

BOOST_AUTO_TEST_CASE(a_writer_gives_up_when_another_keeps_the_lock) {
  SpoolFile file(path, {.is_durable = false, .patience = std::chrono::milliseconds(20)});
  file.open();
  FileLock lock(path + ".lock");
  {
    const FileLock::Hold hold(lock, std::chrono::milliseconds(1000));
    const FileLock::Hold inner(lock, std::chrono::milliseconds(0));
    BOOST_CHECK_EXCEPTION(put(file, 1), gp::Error,
                          [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
    BOOST_TEST(count(file) == 0);  // reading waits for nobody
  }
  put(file, 1);
  BOOST_TEST(count(file) == 1);
}

BOOST_AUTO_TEST_CASE(who_keeps_the_file_busy_is_waited_for_once_until_a_write_succeeds) {
  constexpr milliseconds kPatience{400};
  SpoolFile file(path, {.is_durable = false, .patience = kPatience});
  file.open();
  const auto time_of_a_write = [&](bool succeeds) {
    const gp::SteadyTime begun = gp::steady_now();
    bool has_succeeded = true;
    try {
      put(file, ++written);
    } catch (const gp::Error&) {
      has_succeeded = false;
    }
    BOOST_TEST(has_succeeded == succeeds);
    return gp::steady_now() - begun;
  };
  gp::sqlite::Database foreign(path);  // somebody's shell takes SQLite's lock and knows nothing of ours
  FileLock lock(path + ".lock");
  for (const bool is_foreign : {false, true}) {
    std::optional<FileLock::Hold> hold;
    if (is_foreign) {
      foreign.run_script("BEGIN IMMEDIATE");
    } else {
      hold.emplace(lock, milliseconds(1000));
    }
    BOOST_TEST((time_of_a_write(false) >= kPatience));
    for (int i = 0; i < 3; ++i) BOOST_TEST((time_of_a_write(false) < kPatience));
    hold.reset();
    if (is_foreign) foreign.run_script("ROLLBACK");
    time_of_a_write(true);
  }
}

BOOST_AUTO_TEST_CASE(a_read_that_succeeds_does_not_hide_that_writing_fails) {
  const auto is_failing = [] { return gp::metrics::value_of(gp::metrics::Gauge::kSpoolFailing) == 1; };
  SpoolFile file(path, {.is_durable = false, .patience = milliseconds(20)});
  put(file, 1);
  BOOST_TEST(!is_failing());
  FileLock lock(path + ".lock");
  {
    const FileLock::Hold hold(lock, milliseconds(1000));
    BOOST_CHECK_THROW(put(file, 2), gp::Error);
    BOOST_TEST(count(file) == 1);
    BOOST_TEST(is_failing());
  }
  put(file, 2);
  BOOST_TEST(!is_failing());
}

BOOST_AUTO_TEST_CASE(a_log_that_a_reader_holds_up_is_reported_and_waited_for_by_nobody) {
  const Reports reports;
  SpoolFile file(path, kQuick);
  put(file, 0);
  gp::sqlite::Database shell(path);
  gp::sqlite::Statement snapshot(shell, "SELECT spool_id FROM host");
  snapshot.step();
  for (int run = 1; run <= 1000; ++run) put(file, run, 20'000);
  BOOST_TEST(std::filesystem::file_size(path + "-wal") > 16u * 1024 * 1024);
  const gp::SteadyTime begun = gp::steady_now();
  for (int i = 0; i < 10; ++i) file.maintain();
  BOOST_TEST((gp::steady_now() - begun < std::chrono::seconds(4)));  // SQLite's own patience is 5 s
  BOOST_TEST(reports.count("spool_failed") == 1u);
  BOOST_TEST(reports.count("log grows") == 1u);
  snapshot.rewind();
  SpoolFile another(path, kQuick);  // this one has not tried in vain
  another.open();
  another.maintain();
  BOOST_TEST(std::filesystem::file_size(path + "-wal") == 0u);
  file.maintain();
  BOOST_TEST(reports.count("spool_back") == 1u);
}

BOOST_AUTO_TEST_CASE(a_lock_whose_side_file_is_renamed_still_excludes_others) {
  FileLock first(path + ".lock");
  FileLock second(path + ".lock");
  { const FileLock::Hold hold(first, milliseconds(1000)); }
  std::filesystem::rename(path + ".lock", path + ".old");
  const FileLock::Hold hold(second, milliseconds(1000));
  BOOST_CHECK_THROW(FileLock::Hold(first, milliseconds(20)), gp::Error);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_moved_away_is_made_anew_by_a_write) {
  SpoolFile file(path, kQuick);
  put(file, 1);
  const std::string folder_path = std::filesystem::path(path).parent_path();
  std::filesystem::rename(folder_path, folder_path + ".old");
  put(file, 2);
  BOOST_TEST(count(file) == 1);
}

BOOST_AUTO_TEST_CASE(a_lock_whose_side_file_is_removed_still_excludes_others) {
  FileLock first(path + ".lock");
  FileLock second(path + ".lock");
  { const FileLock::Hold hold(first, std::chrono::milliseconds(1000)); }
  std::filesystem::remove(path + ".lock");
  const FileLock::Hold hold(second, std::chrono::milliseconds(1000));
  BOOST_CHECK_THROW(FileLock::Hold(first, std::chrono::milliseconds(20)), gp::Error);
}

BOOST_AUTO_TEST_CASE(a_lock_ends_with_a_process_that_is_killed) {
  Shared<int, 1> shared;
  const int child = start_child([&] {
    FileLock lock(path + ".lock");
    const FileLock::Hold hold(lock, std::chrono::milliseconds(1000));
    shared[0] = 1;
    while (true) ::pause();
  });
  while (shared[0] == 0) std::this_thread::yield();
  ::kill(child, SIGKILL);
  wait_for_child(child);
  FileLock lock(path + ".lock");
  BOOST_CHECK_NO_THROW(FileLock::Hold(lock, std::chrono::milliseconds(0)));
}

BOOST_AUTO_TEST_CASE(writers_at_once_get_their_turn_in_like_number) {
  constexpr std::size_t kProcesses = 4;
  constexpr int kTotal = 3000;
  Shared<int, kProcesses + 2> shared;
  std::vector<int> children;
  for (std::size_t i = 0; i < kProcesses; ++i)
    children.push_back(start_child([&, i] {
      SpoolFile file(path, kQuick);
      file.open();
      ++shared[kProcesses];
      while (shared[kProcesses] < static_cast<int>(kProcesses)) std::this_thread::yield();
      while (shared[kProcesses + 1]++ < kTotal) {
        put(file, static_cast<int>(i) * kTotal + shared[i]);
        ++shared[i];
      }
    }));
  for (const int child : children) BOOST_TEST(wait_for_child(child) == 0);
  std::array<int, kProcesses> commits{};
  for (std::size_t i = 0; i < kProcesses; ++i) commits[i] = shared[i];
  // By SQLite's own lock the last of four often gets a hundredth of the first.
  BOOST_TEST(*std::ranges::min_element(commits) * 5 >= *std::ranges::max_element(commits));
}

BOOST_AUTO_TEST_SUITE_END()
