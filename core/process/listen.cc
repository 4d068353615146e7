#include "core/process/listen.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "core/base/error.h"

namespace gp::process {
namespace {

constexpr int kBacklog = 4096;
constexpr mode_t kMode =
    0660;  // nginx is in the socket's group; nobody else can make requests without nginx's limits

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw Error(ErrorKind::kBadInput, fmt::format("the socket's path '{}' is longer than {} bytes", path,
                                                  sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd)
    throw Error(ErrorKind::kUnavailable, fmt::format("cannot make a socket: {}", std::strerror(errno)));
  return fd;
}

void remove_leftover(const std::string& path, const sockaddr_un& address) {
  const UniqueFd probe = new_socket();
  const int code = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (code == 0 || errno == EAGAIN)
    throw Error(ErrorKind::kConflict, fmt::format("another process listens on '{}'", path));
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
}

}  // namespace

UniqueFd take_or_make_listener(const std::string& path) {
  if (sd_listen_fds(1) > 0) {
    ::fcntl(SD_LISTEN_FDS_START, F_SETFL, ::fcntl(SD_LISTEN_FDS_START, F_GETFL) | O_NONBLOCK);
    return UniqueFd(SD_LISTEN_FDS_START);
  }
  const sockaddr_un address = address_of(path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  remove_leftover(path, address);
  UniqueFd fd = new_socket();
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), kMode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    throw Error(ErrorKind::kUnavailable,
                fmt::format("cannot listen on '{}': {}", path, std::strerror(errno)));
  }
  return fd;
}

}  // namespace gp::process
