#include <string>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fcgi/exchange.h"
#include "core/fcgi/records.h"
#include "tests/support/fcgi_peer.h"
#include "tests/support/shell.h"

using gp::fcgi::Arrival;
using gp::fcgi::Exchange;
using support::fcgi_request;

namespace {

struct Fixture {
  support::TempFolder folder;
  std::string path = folder.path() + "/s.sock";
  gp::UniqueFd listener = support::listen_at(path);

  gp::UniqueFd accepted() const {
    gp::UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    BOOST_REQUIRE(static_cast<bool>(fd));
    return fd;
  }
};

std::string read_all(int fd) {
  std::string bytes;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
    bytes.append(buffer, static_cast<std::size_t>(got));
  return bytes;
}

const std::map<std::string, std::string> kParams = {
    {"REQUEST_METHOD", "POST"}, {"DOCUMENT_URI", "/start"},
    {"QUERY_STRING", "a=1"},    {"CONTENT_TYPE", "application/json"},
    {"CONTENT_LENGTH", "5"},    {"HTTP_LAST_EVENT_ID", "7"},
    {"REQUEST_ID", "abc"}};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fcgi, Fixture)

BOOST_AUTO_TEST_CASE(a_request_is_read_and_answered) {
  const gp::UniqueFd client = support::connect_to(path);
  support::send_all(client.get(), fcgi_request(kParams, "hello"));
  {
    auto exchange = Exchange::accept(listener.get(), 100);
    BOOST_REQUIRE(exchange.has_value());
    BOOST_TEST(exchange->request().method == "POST");
    BOOST_TEST(exchange->request().path == "/start");
    BOOST_TEST(exchange->request().query == "a=1");
    BOOST_TEST(exchange->request().body == "hello");
    BOOST_TEST(exchange->request().request_id == "abc");
    BOOST_TEST(exchange->request().header("last-event-id").value() == "7");
    BOOST_TEST(exchange->request().header("content-type").value() == "application/json");
    exchange->write({202, {{"X-Test", "1"}}, "{}"});
  }
  const auto answer = support::parse_fcgi(read_all(client.get()));
  BOOST_TEST(answer.is_ended);
  BOOST_TEST(answer.text == "Status: 202 Accepted\r\nX-Test: 1\r\nContent-Length: 2\r\n\r\n{}");
}

BOOST_AUTO_TEST_CASE(a_body_is_cut_one_byte_beyond_its_limit) {
  const gp::UniqueFd client = support::connect_to(path);
  support::send_all(client.get(), fcgi_request({{"REQUEST_METHOD", "POST"}, {"CONTENT_LENGTH", "70000"}},
                                               std::string(70'000, 'x')));
  const auto exchange = Exchange::accept(listener.get(), 100);
  BOOST_REQUIRE(exchange.has_value());
  BOOST_TEST(exchange->request().body.size() == 101u);
}

BOOST_AUTO_TEST_CASE(a_peer_that_sends_nonsense_or_vanishes_is_no_request) {
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(),
                                   std::string(64, '\0'), fcgi_request(kParams, "hello").substr(0, 30)}) {
    gp::UniqueFd client = support::connect_to(path);
    support::send_all(client.get(), bytes);
    ::shutdown(client.get(), SHUT_WR);
    BOOST_TEST(!Exchange::accept(listener.get(), 100).has_value());
  }
  // And the next one is served.
  const gp::UniqueFd client = support::connect_to(path);
  support::send_all(client.get(), fcgi_request(kParams, "hello"));
  BOOST_TEST(Exchange::accept(listener.get(), 100).has_value());
}

BOOST_AUTO_TEST_CASE(a_request_that_arrives_byte_by_byte_is_seen_when_it_is_whole) {
  const std::string bytes = fcgi_request(
      {{"REQUEST_METHOD", "GET"}, {"DOCUMENT_URI", "/events/stream"}, {"QUERY_STRING", "run_id=x"}});
  const gp::UniqueFd client = support::connect_to(path);
  gp::UniqueFd server = accepted();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    BOOST_REQUIRE((gp::fcgi::peek_request(server.get()) == Arrival::kIncomplete));
    support::send_all(client.get(), bytes.substr(at, 1));
  }
  BOOST_REQUIRE((gp::fcgi::peek_request(server.get()) == Arrival::kComplete));
  auto detached = gp::fcgi::detach_request(std::move(server));
  BOOST_REQUIRE(detached.has_value());
  BOOST_TEST(detached->request.path == "/events/stream");
  BOOST_TEST((::fcntl(detached->fd.get(), F_GETFL) & O_NONBLOCK) != 0);

  std::string answer;
  gp::fcgi::append_stdout(answer, "Status: 200 OK\r\n\r\n");
  gp::fcgi::append_stdout(answer, std::string(200'000, 'x'));
  gp::fcgi::append_end(answer);
  const auto parsed = support::parse_fcgi(answer);
  BOOST_TEST(parsed.is_ended);
  BOOST_TEST(parsed.text.size() == 200'018u);
  support::send_all(detached->fd.get(), answer.substr(0, 100));
  detached.reset();
  BOOST_TEST(read_all(client.get()).size() == 100u);
}

BOOST_AUTO_TEST_CASE(what_is_no_request_is_told_before_libfcgi_sees_it) {
  const gp::UniqueFd client = support::connect_to(path);
  const gp::UniqueFd server = accepted();
  support::send_all(client.get(), "GET / HTTP/1.1\r\n\r\n");
  BOOST_TEST((gp::fcgi::peek_request(server.get()) == Arrival::kBad));
  const gp::UniqueFd large = support::connect_to(path);
  const gp::UniqueFd large_server = accepted();
  support::send_all(large.get(), fcgi_request({{"HTTP_X", std::string(50'000, 'x')}}));
  BOOST_TEST((gp::fcgi::peek_request(large_server.get()) == Arrival::kBad));
}

BOOST_AUTO_TEST_CASE(head_and_304_have_no_body) {
  BOOST_TEST(gp::fcgi::render_response({200, {}, "body"}, true) ==
             "Status: 200 OK\r\nContent-Length: 4\r\n\r\n");
  BOOST_TEST(gp::fcgi::render_response({304, {{"ETag", "\"a\""}}, ""}, false) ==
             "Status: 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(nothing_to_say_is_no_record) {
  std::string out;
  gp::fcgi::append_stdout(out, "");
  BOOST_TEST(out.empty());  // an empty FCGI_STDOUT would end the stream
}

BOOST_AUTO_TEST_SUITE_END()
