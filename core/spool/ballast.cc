#include "core/spool/ballast.h"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/base/unique_fd.h"

namespace gp::spool {
namespace {

constexpr std::uintmax_t kSize = 8 * 1024 * 1024;
constexpr std::uintmax_t kFull = 1024 * 1024;

/// Of the disk that holds `path`; not known: 0.
std::uintmax_t room_beside(const std::string& path) {
  std::error_code fault;
  const auto disk = std::filesystem::space(std::filesystem::absolute(path).parent_path(), fault);
  return fault ? 0 : disk.available;
}

}  // namespace

Ballast::Ballast(std::string path) : path_(std::move(path)) {}

void Ballast::fill() {
  std::error_code fault;
  if (const auto size = std::filesystem::file_size(path_, fault); !fault && size >= kSize) return;
  if (room_beside(path_) < 2 * kSize) return;
  const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  // Not a byte is written where the file system can reserve blocks.
  if (file && ::posix_fallocate(file.get(), 0, static_cast<off_t>(kSize)) != 0) release();
}

bool Ballast::is_needed() const { return room_beside(path_) < kFull; }

bool Ballast::release() { return ::unlink(path_.c_str()) == 0; }

}  // namespace gp::spool
