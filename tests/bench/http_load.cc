#include "tests/bench/http_load.h"

#include <array>
#include <stdexcept>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/base/clock.h"
#include "tests/bench/interruption.h"
#include "tests/support/response_reader.h"

namespace bench {
namespace {

constexpr std::size_t kConnections = 8;

/// One connection of a load: a request is out, and part of its response may have come.
struct Caller {
  gp::UniqueFd fd;
  support::ResponseReader response;
  gp::SteadyTime asked;

  void ask(int port, const std::string& request) {
    if (!fd || !response.is_kept_open()) fd = connect_to(port);
    response = {};
    asked = gp::steady_now();
    send_text(fd.get(), request);
  }

  /// True where the response is whole now. Throws where the connection broke.
  bool read() {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) throw std::runtime_error("the connection was cut");
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    while (!bytes.empty() && !response.is_done() && !response.is_broken()) response.take(bytes);
    return response.is_done();
  }
};

std::string request_for(const std::string& target, const std::string& headers) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n", target, headers);
}

}  // namespace

gp::UniqueFd connect_to(int port) {
  gp::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const timeval patience{5, 0};
  const int at_once = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(fmt::format("nobody listens on port {}", port));
  return fd;
}

void send_text(int fd, const std::string& text) {
  if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("the connection is broken");
}

int get_status(int port, const std::string& target) {
  Caller caller;
  caller.ask(port, request_for(target, "Connection: close\r\n"));
  while (!caller.read()) continue;
  return caller.response.status();
}

Load load(int port, const std::string& target, int expected_status, std::chrono::milliseconds time,
          const std::string& headers) {
  const std::string request = request_for(target, headers);
  std::array<Caller, kConnections> callers;
  const gp::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const auto ask = [&](std::size_t index) {
    const int before = callers[index].fd.get();
    callers[index].ask(port, request);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (callers[index].fd.get() != before || before < 0)
      ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, callers[index].fd.get(), &event);
  };
  for (std::size_t i = 0; i < kConnections; ++i) ask(i);
  Load load;
  const auto begin = gp::steady_now();
  const auto deadline = begin + time;
  for (auto now = begin; now < deadline; now = gp::steady_now()) {
    throw_if_interrupted();
    std::array<epoll_event, kConnections> ready{};
    const int count = ::epoll_wait(epoll.get(), ready.data(), kConnections, 1000);
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
      Caller& caller = callers[ready[i].data.u64];
      if (!caller.read()) continue;
      load.times.add(gp::steady_now() - caller.asked);
      if (caller.response.status() != expected_status) ++load.wrong;
      ask(ready[i].data.u64);
    }
  }
  const std::chrono::duration<double> took = gp::steady_now() - begin;
  load.requests_per_second = static_cast<double>(load.times.count()) / took.count();
  return load;
}

}  // namespace bench
