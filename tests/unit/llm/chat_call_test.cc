// The call against a server that sends exactly the bytes a case gives it.

#include "core/llm/chat_call.h"

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <dlfcn.h>
#include <netdb.h>

using boost::asio::ip::tcp;
using gp::llm::CallStatus;

namespace {

constexpr std::string_view kHangingHost = "hangs.invalid";
std::atomic<int> hanging_lookups = 0;
std::atomic<bool> hangs = false;

}  // namespace

/// In front of the system's: the name server of one host does not answer while `hangs`, at most 30 s.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result) {
  if (host != nullptr && host == kHangingHost) {
    ++hanging_lookups;
    for (int i = 0; i < 3000 && hangs; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    --hanging_lookups;
    return EAI_AGAIN;
  }
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(host, service, hints, result);
}

namespace {

/// Answers one request with `bytes`, then closes.
struct OneAnswer {
  boost::asio::io_context context;
  tcp::acceptor acceptor{context, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  std::string request_head;
  std::string text;  ///< the assistant's, of call()
  int looks = 0;     ///< how often call() was asked whether to stop
  std::jthread thread;

  explicit OneAnswer(const std::string& bytes) {
    thread = std::jthread([this, bytes] {
      tcp::socket socket = acceptor.accept();
      const std::size_t size =
          boost::asio::read_until(socket, boost::asio::dynamic_buffer(request_head), "\r\n\r\n");
      request_head.resize(size);
      boost::system::error_code ignored;  // the client may have had enough
      boost::asio::write(socket, boost::asio::buffer(bytes), ignored);
    });
  }

  gp::llm::CallResult call() {
    gp::Config config;
    config.openai_base_url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/v1/";
    config.llm_connect_timeout_s = std::chrono::seconds(5);
    config.llm_first_byte_timeout_s = config.llm_idle_timeout_s = std::chrono::seconds(10);
    gp::llm::ChatCall chat(config, {{"model", "m"}}, [this] { return ++looks < 0; });
    while (const auto more = chat.next_text()) text += *more;
    return chat.result();
  }
};

/// Takes one request and says nothing until the client has gone.
struct Silence {
  boost::asio::io_context context;
  tcp::acceptor acceptor{context, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  std::atomic<bool> has_request = false;
  std::jthread thread{[this] {
    tcp::socket socket = acceptor.accept();
    boost::asio::streambuf head;
    boost::asio::read_until(socket, head, "\r\n\r\n");
    has_request = true;
    boost::system::error_code gone;
    while (!gone) boost::asio::read_until(socket, head, "never sent", gone);
  }};

  gp::llm::CallResult call(std::chrono::seconds first_byte_timeout, bool is_cancelled) {
    gp::Config config;
    config.openai_base_url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
    config.llm_connect_timeout_s = std::chrono::seconds(5);
    config.llm_first_byte_timeout_s = first_byte_timeout;
    gp::llm::ChatCall chat(config, {{"model", "m"}}, [&] { return is_cancelled && has_request; });
    while (chat.next_text()) continue;
    return chat.result();
  }
};

/// `headers`: lines with their ends.
std::string head_with(const std::string& headers) {
  return "HTTP/1.1 200 OK\r\n" + headers + "Connection: close\r\n\r\n";
}

const std::string kStreamHead = head_with("Content-Type: text/event-stream\r\n");
const std::string kContent = R"({"model":"m","choices":[{"delta":{"content":"{}"}}]})";
const std::string kStop =
    R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":9}})";
const std::string kSoundStream = "data: " + kContent + "\n\ndata: " + kStop + "\n\ndata: [DONE]\n\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_call)

BOOST_AUTO_TEST_CASE(a_line_without_end_ends_the_call_and_not_the_process) {
  for (const std::size_t size : {1U << 21, 1U << 22, 1U << 23}) {
    OneAnswer server(kStreamHead + "data: " + std::string(size, 'x'));
    BOOST_TEST((server.call().status == CallStatus::kUnavailable));
  }
}

BOOST_AUTO_TEST_CASE(a_call_that_is_far_behind_its_stream_is_asked_whether_to_stop_all_the_same) {
  constexpr int kEvents = 20'000;
  std::string bytes = kStreamHead;
  for (int i = 0; i < kEvents; ++i) bytes += "data: {\"choices\":[{\"delta\":{}}]}\n\n";
  OneAnswer server(bytes + kSoundStream);
  const auto result = server.call();
  BOOST_TEST((result.status == CallStatus::kComplete), result.detail);
  BOOST_TEST(server.text == "{}");
  BOOST_TEST(server.looks >= kEvents / 256);
}

BOOST_AUTO_TEST_CASE(a_stream_is_one_whatever_its_media_type_says) {
  for (const std::string headers :
       {"Content-Type: Text/Event-Stream; charset=UTF-8\r\n", "Content-Type: application/octet-stream\r\n",
        "Content-Type: application/json\r\n", ""}) {
    for (const std::string before : {"", ": wait\n\n", "\n\nevent: message\n", "data:\n\n"}) {
      OneAnswer server(head_with(headers) + before + kSoundStream);
      BOOST_TEST((server.call().status == CallStatus::kComplete), headers << before);
      BOOST_TEST(server.text == "{}");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_one_whatever_its_media_type_says) {
  for (const std::string headers : {"Content-Type: text/plain\r\n", ""}) {
    OneAnswer server(head_with(headers) +
                     R"({"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}]})");
    BOOST_TEST((server.call().status == CallStatus::kComplete));
    BOOST_TEST(server.text == "{}");
  }
}

BOOST_AUTO_TEST_CASE(the_answer_is_asked_for_as_it_is_and_not_read_in_an_encoding) {
  OneAnswer plain(head_with("Content-Encoding: Identity\r\n") + kSoundStream);
  BOOST_TEST((plain.call().status == CallStatus::kComplete));
  BOOST_TEST(plain.request_head.find("Accept-Encoding: identity\r\n") != std::string::npos);
  OneAnswer zipped(kStreamHead.substr(0, kStreamHead.size() - 2) + "Content-Encoding: gzip\r\n\r\n\x1f\x8b");
  const auto result = zipped.call();
  BOOST_TEST((result.status == CallStatus::kRejected));
  BOOST_TEST(result.detail ==
             "the LLM provider's answer has a Content-Encoding that was not asked for (gzip)");
  BOOST_TEST(result.may_be_billed);
}

BOOST_AUTO_TEST_CASE(the_last_event_counts_without_the_blank_line_behind_it) {
  for (const std::string end : {"", "\n", "\r", "\r\n"}) {
    OneAnswer server(kStreamHead + "data: " + kContent + "\n\ndata: " + kStop + end);
    const auto result = server.call();
    BOOST_TEST((result.status == CallStatus::kComplete));
    BOOST_TEST(result.usage.completion_tokens == 9);
  }
  OneAnswer cut(kStreamHead + "data: " + kContent + "\n\ndata: " + kStop.substr(0, 20));
  const auto result = cut.call();
  BOOST_TEST(result.detail == "the LLM's stream was cut");
  BOOST_TEST(cut.text == "{}");
}

BOOST_AUTO_TEST_CASE(an_error_in_place_of_an_answer_is_final_where_its_code_is) {
  OneAnswer server(head_with("Content-Type: application/json\r\n") +
                   R"({"error":{"code":402,"message":"Insufficient credits"}})");
  const auto result = server.call();
  BOOST_TEST((result.status == CallStatus::kQuota));
  BOOST_TEST(result.detail == "the LLM provider broke its answer off with an error (402)");
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_without_a_reason_was_cut) {
  OneAnswer server(kStreamHead + "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\n");
  const auto result = server.call();
  BOOST_TEST((result.status == CallStatus::kUnavailable));
  BOOST_TEST(result.model == "m");
}

BOOST_AUTO_TEST_CASE(an_event_of_many_lines_without_end_ends_the_call_and_not_the_process) {
  std::string event;
  while (event.size() < 5U << 20) event += "data: " + std::string(64 * 1024, 'x') + "\n";
  OneAnswer server(kStreamHead + event);
  BOOST_TEST((server.call().status == CallStatus::kUnavailable));
}

BOOST_AUTO_TEST_CASE(a_name_server_that_hangs_holds_up_neither_a_cancelled_call_nor_its_time_limit) {
  using std::chrono::steady_clock;
  gp::Config config;
  config.openai_base_url = "http://" + std::string(kHangingHost) + "/v1";
  config.llm_first_byte_timeout_s = config.llm_idle_timeout_s = std::chrono::seconds(60);
  const auto call = [&](std::chrono::seconds connect_timeout, bool is_cancelled) {
    config.llm_connect_timeout_s = connect_timeout;
    gp::llm::ChatCall chat(config, {{"model", "m"}}, [&] { return is_cancelled && hanging_lookups > 0; });
    while (chat.next_text()) continue;
    BOOST_TEST(!chat.result().may_be_billed);  // nothing was sent
    return chat.result().status;
  };
  hangs = true;
  const auto begin = steady_clock::now();
  BOOST_TEST((call(std::chrono::seconds(60), true) == CallStatus::kCancelled));
  BOOST_TEST((call(std::chrono::seconds(1), false) == CallStatus::kUnavailable));
  BOOST_TEST((steady_clock::now() - begin < std::chrono::seconds(10)));
  hangs = false;
  while (hanging_lookups > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

BOOST_AUTO_TEST_CASE(a_server_that_hangs_up_is_unavailable) {
  OneAnswer server("");
  const auto result = server.call();
  BOOST_TEST((result.status == CallStatus::kUnavailable));
  BOOST_TEST(result.may_be_billed);
}

BOOST_AUTO_TEST_CASE(a_call_that_was_accepted_may_be_billed_although_no_text_came) {
  const std::string role = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
  for (const std::string& rest : {std::string(), role, role + "data: [DONE]\n\n",
                                  std::string("data: {\"error\":{\"code\":\"server_error\"}}\n\n")}) {
    OneAnswer server(kStreamHead + rest);
    BOOST_TEST(server.call().may_be_billed);
  }
}

BOOST_AUTO_TEST_CASE(a_call_that_is_given_up_before_the_server_has_spoken_may_be_billed) {
  Silence slow;
  const auto timed_out = slow.call(std::chrono::seconds(1), false);
  BOOST_TEST((timed_out.status == CallStatus::kTimeout));
  BOOST_TEST(timed_out.may_be_billed);
  Silence slower;
  const auto cancelled = slower.call(std::chrono::seconds(60), true);
  BOOST_TEST((cancelled.status == CallStatus::kCancelled));
  BOOST_TEST(cancelled.may_be_billed);
}

BOOST_AUTO_TEST_CASE(a_call_that_was_refused_or_never_made_is_not_billed) {
  for (const std::string status : {"400 Bad Request", "429 Too Many Requests", "503 Service Unavailable"}) {
    OneAnswer server("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    BOOST_TEST(!server.call().may_be_billed);
  }
  gp::Config config;
  config.openai_base_url = "http://127.0.0.1:1";  // nobody listens
  config.llm_connect_timeout_s = config.llm_first_byte_timeout_s = std::chrono::seconds(5);
  for (const bool is_cancelled : {false, true}) {
    gp::llm::ChatCall chat(config, {{"model", "m"}}, [&] { return is_cancelled; });
    BOOST_TEST(!chat.next_text().has_value());
    BOOST_TEST(!chat.result().may_be_billed);
  }
}

BOOST_AUTO_TEST_SUITE_END()
