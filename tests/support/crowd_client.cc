#include "tests/support/crowd_client.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace support {
namespace {

constexpr int kLastSource = 250;
constexpr std::int64_t kRememberedGap = 10000;  ///< of a wider gap only the first ids are remembered

constexpr const char* kBrowserHeaders =
    "Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/event-stream\r\n"
    "Cache-Control: no-cache\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en-GB,en;q=0.9,ar;q=0.8\r\n";
constexpr const char* kCurlHeaders =
    "User-Agent: curl/7.88.1\r\n"
    "Accept: */*\r\n";

sockaddr_in loopback(int last_byte, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl((127U << 24) | static_cast<unsigned>(last_byte));
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

/// A port without a listener may connect to itself where the system chose the very same one as source: that
/// socket would be its own server, and keep the real one from coming back.
bool is_own_peer(int fd, int port) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 && ntohs(own.sin_port) == port &&
         own.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/// 0, or the errno.
int connect_from(int fd, int source, int port) {
  if (source > 1) {
    const int late = 1;  // the port is chosen by connect(2), which knows that only the pair must be unique
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    const sockaddr_in own = loopback(source, 0);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return errno;
  }
  const sockaddr_in peer = loopback(1, port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

}  // namespace

void CrowdClient::count(std::int64_t id, CrowdTotals& totals) {
  view.last_id = id;
  if (id == highest_id + 1) {
    highest_id = id;
  } else if (id > highest_id) {
    const std::int64_t missing = id - highest_id - 1;
    view.gaps += static_cast<std::uint64_t>(missing);
    totals.gaps += static_cast<std::uint64_t>(missing);
    if (!skipped) skipped = std::make_unique<std::set<std::int64_t>>();
    for (std::int64_t i = 1; i <= std::min(missing, kRememberedGap); ++i) skipped->insert(highest_id + i);
    highest_id = id;
  } else if (skipped && skipped->erase(id) > 0) {
    ++view.disorders;
    ++totals.disorders;
  } else {
    ++view.repeats;
    ++totals.repeats;
  }
}

std::string CrowdClient::request(int port, CrowdOptions::Manner manner) const {
  std::string text = fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}", target, port,
                                 manner == CrowdOptions::Manner::kBrowser ? kBrowserHeaders : kCurlHeaders);
  if (view.last_id > 0) text += fmt::format("Last-Event-ID: {}\r\n", view.last_id);
  return text += "\r\n";
}

gp::UniqueFd begin_to_connect(int port, int& source, int receive_bytes) {
  for (; source <= kLastSource; ++source) {
    gp::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return {};
    const int at_once = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    if (receive_bytes > 0) {
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    const int fault = connect_from(fd.get(), source, port);
    if (fault == 0) return is_own_peer(fd.get(), port) ? gp::UniqueFd() : std::move(fd);
    if (fault != EADDRNOTAVAIL) return {};
  }
  source = 1;  // ports of the first ones are free again by now
  return {};
}

}  // namespace support
