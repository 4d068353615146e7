// Is the site's port free, or nginx's already? `nginx -t` does not tell: it passes over a port that is in
// use, nginx then goes on with its former configuration, and does not start at all the next time.

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "handlers/ctl/nginx_limits.h"
#include "handlers/ctl/nginx_site.h"
#include "handlers/ctl/program.h"

namespace gp::ctl {
namespace {

constexpr std::chrono::seconds kPatience{3};

/// Somebody listens on one of the addresses that `address` stands for. False where this host has none of that
/// family.
template <class Address>
bool is_taken(int family, const Address& address) {
  const UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections that linger do not count
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == EADDRINUSE;
}

/// Somebody listens on it, on any address: the site is on all of them, of IPv4 and of IPv6.
bool is_in_use(std::int64_t port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = four.sin_port;
  return is_taken(AF_INET, four) || is_taken(AF_INET6, six);
}

/// One of nginx's sites listens on it.
bool is_nginx_own(const std::string& nginx_dir, std::int64_t port) {
  const auto words = configuration_words(run_program(nginx_command(nginx_dir, {"-T"})).output);
  const std::string number = std::to_string(port);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "listen" && (words[i + 1] == number || words[i + 1].ends_with(":" + number))) return true;
  }
  return false;
}

}  // namespace

void require_port(const std::string& nginx_dir, std::int64_t port) {
  // nginx's former workers may hold a port for some moments more.
  const SteadyTime deadline = steady_now() + kPatience;
  while (is_in_use(port) && steady_now() < deadline) {
    if (is_nginx_own(nginx_dir, port)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (!is_in_use(port)) return;
  throw Error(
      ErrorKind::kConflict,
      fmt::format("another program listens on port {}: end it, or choose another one with --port", port));
}

}  // namespace gp::ctl
