#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "core/base/json.h"

/// An LLM provider that sends exactly the bytes a case gives it, to several calls at once.
class ScriptedProvider {
  using Tcp = boost::asio::ip::tcp;

 public:
  /// The whole HTTP answer to the call of that number (from 0) with that body. Called from many threads.
  using Script = std::function<std::string(std::size_t call, const gp::Json& body)>;

  explicit ScriptedProvider(Script script) : script_(std::move(script)) {
    thread_ = std::jthread([this] { accept(); });
  }
  ~ScriptedProvider() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // accept returns
    thread_.join();
    for (auto& answering : answering_) answering.join();
  }
  ScriptedProvider(const ScriptedProvider&) = delete;
  ScriptedProvider& operator=(const ScriptedProvider&) = delete;

  std::string url() const { return fmt::format("http://127.0.0.1:{}/v1", acceptor_.local_endpoint().port()); }

  /// The bodies of the calls so far.
  std::vector<gp::Json> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  void accept() {
    for (;;) {
      boost::system::error_code failed;
      Tcp::socket socket = acceptor_.accept(failed);
      if (failed) return;
      answering_.emplace_back([this, peer = std::move(socket)]() mutable { answer(peer); });
    }
  }

  void answer(Tcp::socket& socket) {
    boost::system::error_code ignored;  // the client may have had enough
    boost::asio::streambuf buffer;
    const std::size_t head_size = boost::asio::read_until(socket, buffer, "\r\n\r\n", ignored);
    std::string text(boost::asio::buffers_begin(buffer.data()), boost::asio::buffers_end(buffer.data()));
    constexpr std::string_view kLength = "Content-Length: ";
    const auto length = text.find(kLength);
    if (head_size == 0 || length == std::string::npos) return;
    const std::size_t size = head_size + std::stoul(text.substr(length + kLength.size()));
    const std::size_t had = text.size();
    text.resize(std::max(size, had));
    boost::asio::read(socket, boost::asio::buffer(text.data() + had, text.size() - had), ignored);
    const gp::Json body = gp::parse_json(std::string_view(text).substr(head_size));
    const std::size_t number = note(body);
    boost::asio::write(socket, boost::asio::buffer(script_(number, body)), ignored);
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
    char byte = 0;
    while (boost::asio::read(socket, boost::asio::buffer(&byte, 1), ignored) > 0) continue;
  }

  std::size_t note(const gp::Json& body) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(body);
    return calls_.size() - 1;
  }

  Script script_;
  boost::asio::io_context context_;
  Tcp::acceptor acceptor_{context_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  mutable std::mutex mutex_;
  std::vector<gp::Json> calls_;
  std::list<std::jthread> answering_;  ///< the accepting thread's own until that has ended
  std::jthread thread_;
};

/// Answers as a provider gives them.
namespace reply {

inline std::string refusal(const char* status, const gp::Json& error, const std::string& headers = "") {
  const std::string body = gp::dump_json({{"error", error}});
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
      status, body.size(), headers, body);
}

inline std::string busy() {
  return refusal("429 Too Many Requests", {{"code", "rate_limit_exceeded"}}, "retry-after-ms: 10\r\n");
}

inline std::string overloaded() {
  return refusal("503 Service Unavailable", {{"code", "server_is_overloaded"}}, "retry-after-ms: 10\r\n");
}

inline std::string chunk(const gp::Json& delta, const gp::Json& finish_reason = nullptr) {
  const gp::Json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", finish_reason}};
  return "data: " + gp::dump_json({{"model", "m-1"}, {"choices", gp::Json::array({choice})}}) + "\n\n";
}

inline const std::string kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A stream that says `answer` and ends as it should.
inline std::string whole(const gp::Json& answer) {
  return kStreamHead + chunk({{"content", gp::dump_json(answer)}}) + chunk(gp::Json::object(), "stop") +
         R"(data: {"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":200}})" +
         "\n\ndata: [DONE]\n\n";
}

}  // namespace reply
