// What making a session costs where what listens does not answer - a server of the test's own, without
// PostgreSQL - and what is told of an address that leads nowhere.

#include "core/pg/session.h"

#include <array>
#include <cstdint>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"

using gp::Error;
using gp::ErrorKind;
using gp::Secret;
using gp::UniqueFd;
using gp::pg::Session;
using gp::pg::SessionHolder;
using std::chrono::seconds;
using namespace std::string_view_literals;

namespace {

/// Listens at a free port of this host. Connections are taken in by the kernel; nobody answers them.
struct SilentServer {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;

  SilentServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    BOOST_REQUIRE(::bind(listener.get(), plain, size) == 0);
    BOOST_REQUIRE(::listen(listener.get(), 16) == 0);
    BOOST_REQUIRE(::getsockname(listener.get(), plain, &size) == 0);
    port = ntohs(address.sin_port);
  }

  Secret url() const {
    return Secret(fmt::format(
        "host=127.0.0.1 port={} user=x dbname=x sslmode=disable gssencmode=disable connect_timeout=2", port));
  }

  /// Lets one client in, as a pooler does whose server is away, and says nothing more.
  UniqueFd let_one_in() const {
    UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 1024> startup{};
    BOOST_REQUIRE(::recv(peer.get(), startup.data(), startup.size(), 0) > 0);
    constexpr auto kReady = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"sv;  // AuthenticationOk, ReadyForQuery
    BOOST_REQUIRE(::send(peer.get(), kReady.data(), kReady.size(), 0) == std::ssize(kReady));
    return peer;
  }
};

bool is_away(const Error& error) { return error.kind() == ErrorKind::kUnavailable; }

/// What is told where a session cannot be made.
std::string fault_of(const std::string& address) {
  try {
    const Session session(Secret(address), "test");
  } catch (const Error& error) {
    BOOST_TEST(is_away(error));
    return error.what();
  }
  return "connected";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(many_questions_in_a_row_find_out_together_that_nobody_answers) {
  const SilentServer server;
  SessionHolder sessions(server.url(), "test");
  const auto begun = gp::steady_now();
  for (int i = 0; i < 4; ++i) BOOST_CHECK_EXCEPTION(sessions.get(), Error, is_away);
  BOOST_TEST((gp::steady_now() - begun < seconds(4)));
  std::this_thread::sleep_until(begun + seconds(5));  // then it is tried again, for as long
  const auto again = gp::steady_now();
  BOOST_CHECK_EXCEPTION(sessions.get(), Error, is_away);
  BOOST_TEST((gp::steady_now() - again > seconds(1)));
}

BOOST_AUTO_TEST_CASE(a_server_that_lets_a_client_in_and_does_not_answer_is_away) {
  const SilentServer server;
  UniqueFd peer;
  std::jthread doorman([&] { peer = server.let_one_in(); });
  const auto begun = gp::steady_now();
  BOOST_CHECK_EXCEPTION(Session(server.url(), "test"), Error, is_away);
  BOOST_TEST((gp::steady_now() - begun < seconds(10)));
}

BOOST_AUTO_TEST_CASE(nothing_of_an_address_in_which_part_of_the_password_has_gone_astray_is_told) {
  for (const std::string address : {
           "postgresql://u:p@ssw0rd@localhost/db",
           "postgres://u:p@ssw0rd@localhost",
           "postgresql://u:p@ss w0rd/db",
           "postgresql://u:p@@localhost/db",
           "postgresql://u:se%zzcret@localhost/db",
           "postgresql://u:p/ssw0rd@localhost/db",
           "postgresql://localhost:12/34@localhost/db",
           "postgresql://u:p@127.0.0.1/ssw0rd@localhost/db",
           "postgresql://u:p@127.0.0.1:ssw0rd/db",
           "postgresql://u:p@127.0.0.1:1,127.0.0.1:ssw0rd/db",
           "postgresql://u:p?ss@w0rd@localhost/db",
           "postgress://u:ssw0rd@localhost/db",
           "host=127.0.0.1 password=my secret word",
           "host=127.0.0.1 password='my secret",
           "host=127.0.0.1 password=my port=secret",
           "host=u:ssw0rd@localhost",
           "host=127.0.0.1,u:ssw0rd@localhost",
           "ssw0rd",
       }) {
    BOOST_TEST_CONTEXT(address)
    BOOST_TEST(fault_of(address) ==
               "the database's address is not a libpq connection string; in a URL's password @ : / % and "
               "blanks must be percent-encoded");
  }
}

BOOST_AUTO_TEST_CASE(an_address_that_is_right_and_leads_nowhere_is_told_in_the_words_of_libpq) {
  const std::string refused = "connection to server at \"127.0.0.1\", port 1 failed: Connection refused";
  for (const std::string address : {
           "postgresql://u:p%40ss%2Fw%20rd%25@127.0.0.1:1/db",
           "postgresql://u:a:b?c d@127.0.0.1:1/d%40b?sslmode=disable",
           "postgresql://127.0.0.1:1,127.0.0.1:1/db",
           "host=127.0.0.1 port=1 user=u@x dbname=d@b password='my secret'",
       }) {
    BOOST_TEST_CONTEXT(address)
    BOOST_TEST(holds(fault_of(address), refused));
  }
  const std::string folder = "/nowhere/me@school of mine";
  for (const std::string& address : {"postgresql:///db?host=" + folder, "host='" + folder + "'"})
    BOOST_TEST(holds(fault_of(address), "\"" + folder + "/.s.PGSQL.5432\" failed: No such file"));
}

BOOST_AUTO_TEST_SUITE_END()
