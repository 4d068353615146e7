#include "core/base/report.h"

#include <cstdlib>
#include <string>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/unique_fd.h"
#include "tests/support/shell.h"

namespace report = gp::report;

namespace {

/// stderr is a file of its own while this lives, and JOURNAL_STREAM is not set when it ends.
class StderrFile {
 public:
  StderrFile() : former_(::dup(STDERR_FILENO)) {
    const gp::UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ::dup2(file.get(), STDERR_FILENO);
  }
  ~StderrFile() {
    ::unsetenv("JOURNAL_STREAM");
    ::dup2(former_.get(), STDERR_FILENO);
  }
  StderrFile(const StderrFile&) = delete;
  StderrFile& operator=(const StderrFile&) = delete;

  /// As systemd names it in JOURNAL_STREAM.
  static std::string stream() {
    struct stat info {};
    ::fstat(STDERR_FILENO, &info);
    return fmt::format("{}:{}", info.st_dev, info.st_ino);
  }

  /// The line that is reported where JOURNAL_STREAM is `stream`.
  std::string line_with(const std::string& stream) const {
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    ::truncate(path_.c_str(), 0);
    report::report(report::MasterStopping{"start"});
    return support::read_file(path_);
  }

 private:
  support::TempFolder folder_;
  std::string path_ = folder_.path() + "/stderr";
  gp::UniqueFd former_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reports)

BOOST_AUTO_TEST_CASE(a_line_for_the_journal_has_its_priority_and_no_time) {
  const StderrFile file;
  BOOST_TEST(file.line_with(StderrFile::stream()) == "<5>generate-project master_stopping handler=start\n");
}

BOOST_AUTO_TEST_CASE(an_inherited_journal_stream_that_is_not_stderr_changes_nothing) {
  const StderrFile file;
  const std::string stream = StderrFile::stream();
  for (const std::string& other :
       {stream + "1", "1" + stream, stream + " ", std::string("8:1"), std::string("yes"), std::string()}) {
    const std::string line = file.line_with(other);
    BOOST_TEST(line.substr(0, 2) == "20", "JOURNAL_STREAM=" << other << ": " << line);
  }
}

BOOST_AUTO_TEST_SUITE_END()
