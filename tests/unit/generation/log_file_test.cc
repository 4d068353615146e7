#include "core/generation/log_file.h"

#include <barrier>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/resource.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/spool/byte_lock.h"
#include "tests/support/shell.h"

using gp::generation::append_record;
using gp::generation::replace_file;
using gp::generation::size_of_records;
using support::read_file;
using support::TempFolder;

namespace {

constexpr std::string_view kHeader = "stage,summary\r\n";
const std::string kFirst = "plan,\"first, \"\"say\"\"\r\nand go\"\r\n";
const std::string kSecond = "section,second\r\n";

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// While it lives no file of this process may be larger than `bytes`, as on a disk that fills up: a write is
/// cut short there, and the next one refused.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : signal_before_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &limit_before_);
    const rlimit limit{bytes, limit_before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &limit_before_);
    std::signal(SIGXFSZ, signal_before_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  void (*signal_before_)(int);
  rlimit limit_before_{};
};

template <class Writing>
std::string fault_of(const Writing& writing, rlim_t limit_bytes) {
  const FileLimit limit(limit_bytes);
  try {
    writing();
  } catch (const gp::Error& error) {
    return error.what();
  }
  return "none";
}

std::string path_of(const TempFolder& folder, int file) {
  return folder.path() + "/new/" + std::to_string(file) + ".csv";
}

std::string too_large(const std::string& path) { return "cannot write '" + path + "': File too large"; }

}  // namespace

BOOST_AUTO_TEST_SUITE(log_file)

BOOST_AUTO_TEST_CASE(a_record_cut_anywhere_swallows_none_before_or_after_it) {
  const TempFolder folder;
  const std::string path = folder.path() + "/log.csv";
  for (std::size_t kept = 0; kept + 1 < kFirst.size(); ++kept) {
    const std::string whole = std::string(kHeader) + kSecond;
    write(path, whole + kFirst.substr(0, kept));
    append_record(path, kHeader, kFirst);
    BOOST_TEST(read_file(path) == whole + kFirst, "cut after " << kept << " bytes");
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_lacks_the_end_of_its_line_break_stays) {
  const TempFolder folder;
  const std::string path = folder.path() + "/log.csv";
  write(path, std::string(kHeader) + kFirst.substr(0, kFirst.size() - 1));
  append_record(path, kHeader, kSecond);
  BOOST_TEST(read_file(path) == std::string(kHeader) + kFirst + kSecond);
}

BOOST_AUTO_TEST_CASE(a_header_cut_short_is_written_again) {
  const TempFolder folder;
  const std::string path = folder.path() + "/log.csv";
  write(path, std::string(kHeader.substr(0, 5)));
  append_record(path, kHeader, kSecond);
  BOOST_TEST(read_file(path) == std::string(kHeader) + kSecond);
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_no_part_of_a_record_and_is_named_with_the_file) {
  const TempFolder folder;
  const std::string path = folder.path() + "/log.csv";
  const auto append = [&] { append_record(path, kHeader, kFirst); };
  BOOST_TEST(fault_of(append, kHeader.size() + 9) == too_large(path));
  BOOST_TEST(read_file(path).empty());
  append();
  const std::string before = read_file(path);
  BOOST_TEST(before == std::string(kHeader) + kFirst);
  BOOST_TEST(fault_of(append, before.size() + 9) == too_large(path));
  BOOST_TEST(read_file(path) == before);
}

BOOST_AUTO_TEST_CASE(writers_at_the_same_time_lose_no_record_and_write_one_header) {
  const TempFolder folder;
  constexpr int kFiles = 100;  // the header is at stake at the beginning of each only
  constexpr int kWriters = 4;
  std::string expected(kHeader);
  for (int writer = 0; writer < kWriters; ++writer) expected += kSecond;
  std::barrier start(kWriters);
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&] {
        for (int file = 0; file < kFiles; ++file) {
          start.arrive_and_wait();
          append_record(path_of(folder, file), kHeader, kSecond);
        }
      });
    }
  }
  for (int file = 0; file < kFiles; ++file)
    BOOST_TEST(read_file(path_of(folder, file)) == expected, "file " << file);
}

BOOST_AUTO_TEST_CASE(a_writer_that_stands_still_holds_up_the_next_for_a_second_only) {
  const TempFolder folder;
  const std::string path = folder.path() + "/log.csv";
  append_record(path, kHeader, kFirst);
  const gp::UniqueFd asleep(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  BOOST_REQUIRE(gp::spool::try_lock_byte(asleep.get(), 0));
  const auto begun = gp::steady_now();
  append_record(path, kHeader, kSecond);
  BOOST_TEST((gp::steady_now() - begun >= std::chrono::seconds(1)));
  BOOST_TEST(read_file(path) == std::string(kHeader) + kFirst + kSecond);
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_file_as_it_was_and_no_draft) {
  const TempFolder folder;
  const std::string path = folder.path() + "/prompt.json";
  const std::string large(10000, 'x');
  BOOST_TEST(fault_of([&] { replace_file(path, large); }, 5000) == too_large(path));
  BOOST_TEST(!std::filesystem::exists(path));
  replace_file(path, "before");
  BOOST_TEST(fault_of([&] { replace_file(path, large); }, 5000) == too_large(path));
  BOOST_TEST(read_file(path) == "before");
  replace_file(path, large);
  BOOST_TEST((read_file(path) == large));
  const std::filesystem::directory_iterator files(folder.path());
  BOOST_TEST(std::distance(begin(files), end(files)) == 1);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_named) {
  const TempFolder folder;
  write(folder.path() + "/taken", "");
  const std::string expected = "cannot write '" + folder.path() + "/taken': Not a directory";
  BOOST_TEST(fault_of([&] { append_record(folder.path() + "/taken/log.csv", kHeader, kFirst); },
                      RLIM_INFINITY) == expected);
  BOOST_TEST(fault_of([&] { replace_file(folder.path() + "/taken/prompt.json", "x"); }, RLIM_INFINITY) ==
             expected);
}

BOOST_AUTO_TEST_CASE(a_line_break_in_a_quoted_cell_ends_no_record) {
  BOOST_TEST(size_of_records("") == 0u);
  BOOST_TEST(size_of_records("a,\"b\r\n") == 0u);
  BOOST_TEST(size_of_records("a\r\nb,\"\"\"\r\n") == 3u);
  BOOST_TEST(size_of_records(kFirst) == kFirst.size());
  BOOST_TEST(size_of_records("a,b\r") == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
