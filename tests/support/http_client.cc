#include "tests/support/http_client.h"

#include <algorithm>
#include <stdexcept>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <poll.h>

#include "core/base/clock.h"

namespace support {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using std::chrono::milliseconds;

namespace {

constexpr std::chrono::seconds kPatience{60};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool is_readable(int fd, milliseconds patience) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, static_cast<int>(patience.count())) > 0;
}

/// One connection and the answer that comes on it.
struct Connection {
  asio::io_context context;
  asio::ip::tcp::socket socket{context};
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;

  Connection(int port, const std::string& method, const std::string& target, const std::string& body,
             const Headers& headers) {
    socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<unsigned short>(port)});
    http::request<http::string_body> message;
    message.method_string(method);
    message.target(target);
    message.version(11);
    message.set(http::field::host, "127.0.0.1");
    message.set(http::field::connection, "close");
    for (const auto& [name, value] : headers) message.set(name, value);
    message.body() = body;
    if (!body.empty() || method == "POST") message.prepare_payload();
    beast::error_code ignored;  // the server may refuse before it has read all
    http::write(socket, message, ignored);
    parser.body_limit(64 << 20);
    parser.skip(method == "HEAD");
    read_until([&] { return parser.is_header_done(); }, kPatience);
  }

  /// Reads until `done` or the end of the answer; throws after `patience` in which nothing came.
  template <class Done>
  void read_until(const Done& done, milliseconds patience) {
    const auto deadline = gp::steady_now() + patience;
    while (!done() && !parser.is_done()) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - gp::steady_now());
      if (left.count() <= 0) throw std::runtime_error("the server was silent");
      read_some(std::min<milliseconds>(left, milliseconds(100)));
    }
  }

  void read_some(milliseconds patience) {
    if (buffer.size() == 0 && socket.available() == 0 && !is_readable(socket.native_handle(), patience))
      return;
    beast::error_code fault;
    if (parser.is_header_done()) {
      http::read_some(socket, buffer, parser, fault);
    } else {
      http::read_header(socket, buffer, parser, fault);
    }
    if (fault == http::error::end_of_stream || fault == http::error::partial_message) {
      throw std::runtime_error("the connection was cut: " + fault.message());
    }
    if (fault && fault != http::error::need_buffer) throw std::runtime_error(fault.message());
  }

  Reply reply() {
    Reply reply;
    reply.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      reply.headers.emplace_back(lower(std::string(field.name_string())), std::string(field.value()));
    }
    return reply;
  }
};

}  // namespace

std::string Reply::header(const std::string& lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

int Reply::count(const std::string& lower_case_name) const {
  return static_cast<int>(
      std::ranges::count_if(headers, [&](const auto& header) { return header.first == lower_case_name; }));
}

Reply request(int port, const std::string& method, const std::string& target, const std::string& body,
              const Headers& headers) {
  Connection connection(port, method, target, body, headers);
  connection.read_until([] { return false; }, kPatience);
  Reply reply = connection.reply();
  reply.body = connection.parser.get().body();
  return reply;
}

struct EventStream::Impl {
  Connection connection;
  Reply reply;
  std::size_t at = 0;  ///< where in the body the next line begins
  StreamEvent event;
  std::string data;
  std::int64_t last_id = 0;

  Impl(int port, const std::string& target, const Headers& headers)
      : connection(port, "GET", target, {}, headers), reply(connection.reply()) {}

  const std::string& body() { return connection.parser.get().body(); }

  std::optional<std::string> next_line() {
    const auto end = body().find('\n', at);
    if (end == std::string::npos) return std::nullopt;
    std::string line = body().substr(at, end - at);
    at = end + 1;
    return line;
  }

  std::optional<StreamEvent> take_event() {
    while (const auto line = next_line()) {
      if (line->empty()) {
        if (data.empty()) continue;
        StreamEvent done{last_id, std::exchange(event.name, {}), gp::parse_json(std::exchange(data, {}))};
        return done;
      }
      const auto colon = line->find(": ");
      const std::string field = line->substr(0, colon);
      const std::string value = colon == std::string::npos ? "" : line->substr(colon + 2);
      if (field == "id") last_id = std::stoll(value);
      if (field == "event") event.name = value;
      if (field == "data") data += value;
    }
    return std::nullopt;
  }
};

EventStream::EventStream(int port, const std::string& target, const Headers& headers)
    : impl_(std::make_unique<Impl>(port, target, headers)) {}
EventStream::~EventStream() = default;

const Reply& EventStream::reply() const { return impl_->reply; }
const std::string& EventStream::raw() const { return impl_->body(); }

std::optional<StreamEvent> EventStream::next(milliseconds patience) {
  const auto deadline = gp::steady_now() + patience;
  for (;;) {
    if (auto event = impl_->take_event()) return event;
    if (impl_->connection.parser.is_done()) return std::nullopt;
    if (gp::steady_now() > deadline) throw std::runtime_error("no event came");
    impl_->connection.read_some(milliseconds(100));
  }
}

std::vector<StreamEvent> EventStream::rest() {
  std::vector<StreamEvent> events;
  while (auto event = next()) events.push_back(std::move(*event));
  return events;
}

bool EventStream::wait_for_text(const std::string& text, milliseconds patience) {
  const auto deadline = gp::steady_now() + patience;
  while (impl_->body().find(text) == std::string::npos) {
    if (impl_->connection.parser.is_done() || gp::steady_now() > deadline) return false;
    impl_->connection.read_some(milliseconds(100));
  }
  return true;
}

}  // namespace support
