// The call against a server that sends exactly the bytes a case gives it.

#include "core/llm/chat_call.h"

#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

using boost::asio::ip::tcp;
using gp::llm::CallStatus;

namespace {

/// Answers one request with `bytes`, then closes.
struct OneAnswer {
  boost::asio::io_context context;
  tcp::acceptor acceptor{context, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  std::jthread thread;

  explicit OneAnswer(const std::string& bytes) {
    thread = std::jthread([this, bytes] {
      tcp::socket socket = acceptor.accept();
      boost::asio::streambuf head;
      boost::asio::read_until(socket, head, "\r\n\r\n");
      boost::system::error_code ignored;  // the client may have had enough
      boost::asio::write(socket, boost::asio::buffer(bytes), ignored);
    });
  }

  gp::llm::CallResult call() {
    gp::Config config;
    config.openai_base_url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/v1/";
    config.llm_connect_timeout_s = std::chrono::seconds(5);
    config.llm_first_byte_timeout_s = config.llm_idle_timeout_s = std::chrono::seconds(10);
    gp::llm::ChatCall chat(config, {{"model", "m"}}, [] { return false; });
    while (chat.next_text()) continue;
    return chat.result();
  }
};

const std::string kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_call)

BOOST_AUTO_TEST_CASE(a_line_without_end_ends_the_call_and_not_the_process) {
  for (const std::size_t size : {1U << 21, 1U << 22, 1U << 23}) {
    OneAnswer server(kStreamHead + "data: " + std::string(size, 'x'));
    BOOST_TEST((server.call().status == CallStatus::kUnavailable));
  }
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_without_a_reason_was_cut) {
  OneAnswer server(kStreamHead + "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\n");
  const auto result = server.call();
  BOOST_TEST((result.status == CallStatus::kUnavailable));
  BOOST_TEST(result.model == "m");
}

BOOST_AUTO_TEST_CASE(a_server_that_hangs_up_is_unavailable) {
  OneAnswer server("");
  BOOST_TEST((server.call().status == CallStatus::kUnavailable));
}

BOOST_AUTO_TEST_SUITE_END()
