#include "tests/unit/spool/spool_fixture.h"

#include <csignal>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace spool_test {

const char* const kVersion1 = R"sql(
CREATE TABLE host (spool_id TEXT NOT NULL);
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  slot     INTEGER NOT NULL,
  run_id   TEXT    NOT NULL,
  token    TEXT    NOT NULL,
  event_id INTEGER NOT NULL,
  type     TEXT    NOT NULL,
  data     TEXT    NOT NULL,
  document TEXT    NOT NULL,
  ending   TEXT,
  UNIQUE (run_id, token, event_id)
);
CREATE INDEX outbox_slot ON outbox (slot, sequence);
PRAGMA user_version = 1;
)sql";

gp::RunId run_number(int number) { return gp::RunId(fmt::format("00000000-0000-4000-8000-{:012x}", number)); }

std::vector<gp::spool::CachedEvent> events_of(int run, int count, const std::string& last,
                                              std::size_t filling) {
  std::vector<gp::spool::CachedEvent> events;
  for (int id = 1; id <= count; ++id) {
    const std::string data =
        fmt::format(R"({{"run":{},"id":{},"text":"{}"}})", run, id, std::string(filling, 'x'));
    events.push_back(
        {run_number(run), id, id == count ? last : "section_completed", data, 1'700'000'000'000 + id});
  }
  return events;
}

std::vector<std::int64_t> ids_of(const gp::spool::CachedTail& tail) {
  std::vector<std::int64_t> ids;
  for (const auto& event : tail.events) ids.push_back(event.id);
  return ids;
}

bool is_part_of(const gp::spool::CachedTail& tail, const std::vector<gp::spool::CachedEvent>& truth) {
  for (const auto& event : tail.events) {
    if (event.id < 1 || event.id > std::ssize(truth)) return false;
    const auto& expected = truth[static_cast<std::size_t>(event.id - 1)];
    if (event.run_id != expected.run_id || event.type != expected.type || event.data != expected.data ||
        event.committed_at_ms != expected.committed_at_ms)
      return false;
  }
  return true;
}

std::size_t files_set_aside(const std::string& path) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
    const std::string name = file.path().filename();
    if (name.find(".corrupt-") != std::string::npos && !name.ends_with("-wal") && !name.ends_with("-shm"))
      ++count;
  }
  return count;
}

int start_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    work();
    ::_exit(0);
  } catch (const std::exception& error) {
    fmt::print(stderr, "in the child process: {}\n", error.what());
  }
  ::_exit(99);
}

int wait_for_child(int pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_child(const std::function<void()>& work) { return wait_for_child(start_child(work)); }

void overwrite(const std::string& path, std::int64_t offset, const std::string& bytes) {
  const int code = in_child([&] {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), std::ssize(bytes));
    file.close();
    if (!file) throw std::runtime_error("cannot overwrite " + path);
  });
  if (code != 0) throw std::runtime_error("cannot overwrite " + path);
}

std::int64_t offset_of(const std::string& path, const std::string& bytes) {
  const support::Outcome found =
      support::run(fmt::format("grep -obUaF -m1 -- '{}' '{}' | head -1 | cut -d: -f1", bytes, path));
  return std::stoll(found.output);
}

Reports::Reports() : former_(::dup(STDERR_FILENO)) {
  const int file = ::open((folder_.path() + "/stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

Reports::~Reports() {
  ::dup2(former_, STDERR_FILENO);
  ::close(former_);
}

std::size_t Reports::count(const std::string& name) const {
  std::ifstream lines(folder_.path() + "/stderr");
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(name) != std::string::npos ? 1 : 0;
  return count;
}

SmallDisk::SmallDisk(std::string path, std::int64_t bytes) : path_(std::move(path)) {
  std::filesystem::create_directories(path_);
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
  is_mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, fmt::format("size={}", bytes).c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (is_mounted_) ::umount2(path_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() {
  std::ofstream file(path_ + "/filling", std::ios::binary);
  const std::string block(4096, 'x');
  while (file.write(block.data(), std::ssize(block)).flush()) {
  }
}

void SmallDisk::relax() { std::filesystem::remove(path_ + "/filling"); }

}  // namespace spool_test
