#include "handlers/ctl/folder_state.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;

/// Absolute, without . and .. and with a slash at its end.
std::string plain_path(const std::string& path) {
  std::error_code ignored;
  return (fs::absolute(path, ignored) / "").lexically_normal().string();
}

/// The folder itself where it exists, else the nearest one above it that does.
fs::path nearest_existing(const std::string& folder) {
  std::error_code ignored;
  fs::path path = fs::absolute(folder, ignored).lexically_normal();
  while (!fs::exists(path, ignored) && path != path.root_path()) path = path.parent_path();
  return path;
}

}  // namespace

bool is_made_at_start(const std::string& folder) {
  std::error_code ignored;
  if (fs::exists(folder, ignored)) return false;
  return folder == "/var/lib/generate-project" || folder == "/var/log/generate-project";
}

bool is_same_folder(const std::string& one, const std::string& other) {
  return plain_path(one) == plain_path(other);
}

bool is_within(const std::string& path, const std::string& folder) {
  return plain_path(path).starts_with(plain_path(folder));
}

std::string folder_fault(const std::string& folder) {
  const fs::path existing = nearest_existing(folder);
  std::error_code ignored;
  if (!fs::is_directory(existing, ignored)) return fmt::format("{} is not a folder", existing.string());
  if (::faccessat(AT_FDCWD, existing.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  return fmt::format("{}: {}", existing.string(), std::strerror(errno));
}

std::int64_t free_bytes(const std::string& folder) {
  std::error_code fault;
  const auto space = fs::space(nearest_existing(folder), fault);
  return fault ? -1 : static_cast<std::int64_t>(space.available);
}

}  // namespace gp::ctl
