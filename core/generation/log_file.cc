#include "core/generation/log_file.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/spool/byte_lock.h"

namespace gp::generation {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0666;  // less the umask, or as the folder's default ACL says
constexpr std::chrono::seconds kLongestTurn{1};
constexpr std::chrono::milliseconds kLookAgain{2};

[[noreturn]] void fail(const fs::path& path, int reason) {
  throw Error(ErrorKind::kUnavailable,
              fmt::format("cannot write '{}': {}", path.string(), std::strerror(reason)));
}

void make_folder(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) fail(folder, fault.value());
}

/// False (errno) where less was written. On a full disk the first write(2) is short and the next one says
/// why.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string read_all(int fd, const fs::path& path) {
  std::string text;
  std::array<char, 16384> part;
  ssize_t size = 0;
  while ((size = ::read(fd, part.data(), part.size())) != 0) {
    if (size < 0 && errno != EINTR) fail(path, errno);
    if (size > 0) text.append(part.data(), static_cast<std::size_t>(size));
  }
  return text;
}

/// The lock ends with the descriptor. Where the file system has none there is no waiting.
void wait_for_turn(int fd) {
  const SteadyTime until = steady_now() + kLongestTurn;
  while (!spool::try_lock_byte(fd, 0) && errno == EAGAIN && steady_now() < until)
    std::this_thread::sleep_for(kLookAgain);
}

/// What a new record needs before it.
std::string_view beginning_after(std::string_view records, std::string_view header) {
  if (records.empty()) return header;
  return records.back() == '\n' ? "" : "\n";
}

}  // namespace

void replace_file(const fs::path& path, std::string_view text) {
  make_folder(path.parent_path());
  const fs::path draft = path.parent_path() / fmt::format(".{}.{}", path.filename().string(), make_uuid());
  UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode));
  if (file && write_all(file.get(), text) && ::close(file.release()) == 0 &&
      ::rename(draft.c_str(), path.c_str()) == 0)
    return;
  const int reason = errno;
  ::unlink(draft.c_str());
  fail(path, reason);
}

void append_record(const fs::path& path, std::string_view header, std::string_view record) {
  make_folder(path.parent_path());
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode));
  if (!file) fail(path, errno);
  wait_for_turn(file.get());
  std::string records = read_all(file.get(), path);
  const std::size_t size = size_of_records(records);
  const auto cut_back = [&] { return ::ftruncate(file.get(), static_cast<off_t>(size)) == 0; };
  if (records.size() > size && !cut_back()) fail(path, errno);
  records.resize(size);
  if (write_all(file.get(), std::string(beginning_after(records, header)).append(record))) return;
  const int reason = errno;
  (void)cut_back();  // where this fails, the next append tries again
  fail(path, reason);
}

std::size_t size_of_records(std::string_view text) {
  bool is_quoted = false;
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_quoted = !is_quoted;
    if (!is_quoted && (text[i] == '\r' || text[i] == '\n')) size = i + 1;
  }
  return size;
}

}  // namespace gp::generation
