#include "tests/bench/nchan_publisher.h"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <sys/socket.h>

#include "tests/bench/http_load.h"

namespace bench {

NchanPublisher::NchanPublisher(int port, std::string channel)
    : fd_(connect_to(port)), channel_(std::move(channel)) {}

void NchanPublisher::publish(const std::string& message) {
  read_answers();
  send_text(fd_.get(),
            fmt::format("POST /publish?id={} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{}",
                        channel_, message.size(), message));
}

void NchanPublisher::read_answers() {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) throw std::runtime_error("nchan closed the publisher's connection");
    const std::string_view answers(buffer.data(), static_cast<std::size_t>(got));
    for (const std::string_view refusal : {"HTTP/1.1 4", "HTTP/1.1 5"}) {
      if (answers.find(refusal) != std::string_view::npos)
        throw std::runtime_error("nchan refused a message");
    }
  }
}

}  // namespace bench
