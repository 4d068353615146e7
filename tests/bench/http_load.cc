#include "tests/bench/http_load.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

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

constexpr std::size_t kConnections = 32;

constexpr std::chrono::seconds kPatience{5};

/// One connection of a load: a request is out, and part of its response may have come.
struct Caller {
  gp::UniqueFd fd;
  support::ResponseReader response;
  std::string body;
  std::size_t number = 0;  ///< of the request
  gp::SteadyTime asked;
  bool is_waiting = false;

  void ask(int port, const std::string& request) {
    if (!fd || !response.is_kept_open()) fd = connect_to(port);
    response = {};
    body.clear();
    is_waiting = true;
    asked = gp::steady_now();
    send_text(fd.get(), request);
  }

  /// True where the response is whole now. Throws where the connection broke.
  bool read() {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) throw std::runtime_error("the connection was cut");
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    while (!bytes.empty() && !response.is_done() && !response.is_broken()) body += response.take(bytes);
    is_waiting = !response.is_done();
    return response.is_done();
  }
};

/// The connections of one load.
class Callers {
 public:
  Callers(int port, const Questions& questions)
      : port_(port), questions_(questions), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Load run(std::chrono::milliseconds time) {
    const auto begin = gp::steady_now();
    for (std::size_t i = 0; i < kConnections; ++i) ask(i);
    while (gp::steady_now() < begin + time) turn(true);
    load_.requests_per_second = per_second(load_.times.count(), gp::steady_now() - begin);
    const auto deadline = gp::steady_now() + kPatience;
    while (is_anyone_waiting() && gp::steady_now() < deadline) turn(false);
    if (is_anyone_waiting()) throw std::runtime_error("an answer did not come");
    return std::move(load_);
  }

 private:
  void ask(std::size_t index) {
    Caller& caller = callers_[index];
    const int before = caller.fd.get();
    caller.number = asked_++;
    caller.ask(port_, questions_.ask(caller.number));
    if (caller.fd.get() == before && before >= 0) return;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, caller.fd.get(), &event);
  }

  void turn(bool goes_on) {
    throw_if_interrupted();
    std::array<epoll_event, kConnections> ready{};
    const int count = ::epoll_wait(epoll_.get(), ready.data(), kConnections, 1000);
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
      Caller& caller = callers_[ready[i].data.u64];
      if (!caller.is_waiting) {
        caller.fd.reset();  // it had its last answer, and the server has closed the connection
        continue;
      }
      if (!caller.read()) continue;
      if (goes_on) load_.times.add(gp::steady_now() - caller.asked);
      if (!questions_.is_right(caller.number, caller.response.status(), caller.body)) ++load_.wrong;
      if (goes_on) ask(ready[i].data.u64);
    }
  }

  bool is_anyone_waiting() const {
    return std::ranges::any_of(callers_, [](const Caller& caller) { return caller.is_waiting; });
  }

  int port_;
  const Questions& questions_;
  gp::UniqueFd epoll_;
  std::array<Caller, kConnections> callers_;
  std::size_t asked_ = 0;
  Load load_;
};

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

std::string get_request(const std::string& target, const std::string& headers) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n", target, headers);
}

std::string post_request(const std::string& target, const std::string& json) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      target, json.size(), json);
}

int get_status(int port, const std::string& target) {
  Caller caller;
  caller.ask(port, get_request(target, "Connection: close\r\n"));
  while (!caller.read()) continue;
  return caller.response.status();
}

Load load(int port, const Questions& questions, std::chrono::milliseconds time) {
  return Callers(port, questions).run(time);
}

Load load(int port, const std::vector<std::string>& requests, int expected_status,
          std::chrono::milliseconds time) {
  const Questions questions{
      [&](std::size_t number) { return requests[number % requests.size()]; },
      [&](std::size_t, int status, const std::string&) { return status == expected_status; }};
  return load(port, questions, time);
}

}  // namespace bench
