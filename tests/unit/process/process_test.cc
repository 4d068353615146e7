#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/metrics.h"
#include "core/process/pool.h"
#include "core/process/serve.h"
#include "tests/support/fcgi_peer.h"
#include "tests/support/shell.h"

using gp::Error;
using gp::ErrorKind;
using gp::http::Request;
using gp::http::Response;
using gp::process::Child;
using gp::process::respond;
using gp::process::ServeOptions;

namespace {

const ServeOptions kOptions{"GET, HEAD, OPTIONS", "*", 10, 3};

/// Of a pool's processes.
ServeOptions serving(std::int64_t max_requests = 1000, std::function<void()> when_idle = {}) {
  return {"GET", "*", 100, max_requests, std::move(when_idle), 3};
}

Request request_of(const std::string& method, const std::string& body = {}) {
  Request request;
  request.method = method;
  request.body = body;
  request.request_id = "id-1";
  return request;
}

std::string header(const Response& response, const std::string& name) {
  std::string found;
  for (const auto& [known, value] : response.headers) {
    if (known == name) found += (found.empty() ? "" : "|") + value;
  }
  return found;
}

/// What respond() adds one to: "2xx timed".
std::string counted_by(const Request& request, const gp::process::Handle& handle) {
  using gp::metrics::Counter;
  constexpr auto kClasses = std::to_array<std::pair<Counter, const char*>>({{Counter::kAnswers2xx, "2xx"},
                                                                            {Counter::kAnswers3xx, "3xx"},
                                                                            {Counter::kAnswers4xx, "4xx"},
                                                                            {Counter::kAnswers5xx, "5xx"}});
  const auto timed = [] { return gp::metrics::count_of(gp::metrics::Histogram::kRequestTime); };
  std::array<std::uint64_t, kClasses.size()> before{};
  std::ranges::transform(kClasses, before.begin(),
                         [](const auto& c) { return gp::metrics::value_of(c.first); });
  const auto timed_before = timed();
  respond(request, kOptions, handle);
  std::string added;
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    if (gp::metrics::value_of(kClasses[i].first) == before[i] + 1) added += kClasses[i].second;
  }
  return added + (timed() == timed_before + 1 ? " timed" : "");
}

int answered = 0;       ///< in a child: how many requests
int seen_together = 0;  ///< in a child: how many requests were begun with this one

/// A pool in a process of its own whose children answer with their pid; for /together with seen_together.
struct Pool {
  support::TempFolder folder;
  std::string socket = folder.path() + "/p.sock";
  pid_t master = 0;

  enum class Way { kOneByOne, kTogether };

  explicit Pool(int processes, const ServeOptions& options = serving(), Way way = Way::kOneByOne) {
    master = ::fork();
    if (master == 0) {
      int code = 1;
      try {
        gp::process::PoolOptions pool{"test", socket, processes, std::chrono::seconds(5)};
        code = gp::process::run_pool(pool, [&] {
          return [&](const Child& child) {
            return way == Way::kTogether ? serve_together(child, options, begin)
                                         : serve(child, options, answer);
          };
        });
      } catch (...) {
      }
      ::_exit(code);
    }
    wait_for([&] { return ask("/") > 0; });
  }
  static Response answer(const Request& request) {
    ++answered;
    if (request.path == "/die") ::_exit(9);
    if (request.path == "/slow") std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return gp::http::json_response(200,
                                   std::to_string(request.path == "/together" ? seen_together : ::getpid()));
  }

  static std::vector<gp::process::Answer> begin(std::span<const Request* const> together) {
    seen_together = static_cast<int>(together.size());
    if (!together.empty() && together.front()->path == "/unlucky") throw std::runtime_error("out of luck");
    std::vector<gp::process::Answer> answers;
    for (const Request* request : together) answers.emplace_back([request] { return answer(*request); });
    return answers;
  }

  ~Pool() {
    ::kill(master, SIGKILL);
    ::waitpid(master, nullptr, 0);
  }

  /// The answer, whole; throws where nobody listens.
  std::string reply(const std::string& path, const std::string& method = "GET") const {
    const gp::UniqueFd fd = support::connect_to(socket);
    support::send_all(fd.get(), support::fcgi_request({{"REQUEST_METHOD", method}, {"DOCUMENT_URI", path}}));
    std::string bytes;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
      bytes.append(buffer, static_cast<std::size_t>(got));
    return support::parse_fcgi(bytes).text;
  }

  /// The pid that answers; 0 where none does.
  int ask(const std::string& path, const std::string& method = "GET") const {
    try {
      const std::string text = reply(path, method);
      const auto body = text.find("\r\n\r\n");
      return body == std::string::npos ? 0 : std::stoi(text.substr(body + 4));
    } catch (const std::exception&) {
      return 0;
    }
  }

  template <class Condition>
  static bool wait_for(const Condition& condition) {
    for (const auto deadline = gp::steady_now() + std::chrono::seconds(20); gp::steady_now() < deadline;) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  int exit_code() {
    int status = 0;
    ::waitpid(master, &status, 0);
    master = ::fork();  // something for the destructor to end
    if (master == 0) ::pause();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(process)

BOOST_AUTO_TEST_CASE(every_answer_has_one_request_id_and_cors) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "POST"}) {
    const Response response = respond(request_of(method), kOptions,
                                      [](const Request&) { return gp::http::json_response(200, "{}"); });
    BOOST_TEST(header(response, "X-Request-ID") == "id-1");
    BOOST_TEST(header(response, "Access-Control-Allow-Origin") == "*");
  }
}

BOOST_AUTO_TEST_CASE(other_methods_large_bodies_and_exceptions_become_problems) {
  const auto status_of = [](const Request& request, const gp::process::Handle& handle) {
    const Response response = respond(request, kOptions, handle);
    BOOST_TEST(header(response, "Content-Type") == "application/problem+json");
    return response.status;
  };
  const auto never = [](const Request&) -> Response { throw std::logic_error("called"); };
  BOOST_TEST(status_of(request_of("DELETE"), never) == 405);
  BOOST_TEST(status_of(request_of("GET", std::string(11, 'x')), never) == 413);
  BOOST_TEST(status_of(request_of("GET"), never) == 500);
  BOOST_TEST(status_of(request_of("GET"), [](const Request&) -> Response {
               throw Error(ErrorKind::kUnavailable, "away");
             }) == 503);
  BOOST_TEST(header(respond(request_of("DELETE"), kOptions, never), "Allow") == "GET, HEAD, OPTIONS");
}

BOOST_AUTO_TEST_CASE(every_answer_is_counted_by_its_class_and_timed_where_the_handler_ran) {
  const auto answering = [](int status) {
    return [status](const Request&) { return gp::http::json_response(status, "{}"); };
  };
  const auto away = [](const Request&) -> Response { throw Error(ErrorKind::kUnavailable, "away"); };
  BOOST_TEST(counted_by(request_of("GET"), answering(202)) == "2xx timed");
  BOOST_TEST(counted_by(request_of("GET"), answering(304)) == "3xx timed");
  BOOST_TEST(counted_by(request_of("GET"), answering(404)) == "4xx timed");
  BOOST_TEST(counted_by(request_of("GET"), away) == "5xx timed");
  BOOST_TEST(counted_by(request_of("OPTIONS"), answering(200)) == "2xx");
  BOOST_TEST(counted_by(request_of("DELETE"), answering(200)) == "4xx");
}

BOOST_AUTO_TEST_CASE(a_request_wakes_one_child_and_not_the_whole_pool) {
  constexpr int kRequests = 100;
  const Pool pool(8);
  const auto waits = [&] {
    return std::stoi(
        support::run_or_throw(fmt::format("cat $(printf '/proc/%s/status ' $(cat "
                                          "/proc/{0}/task/{0}/children)) | awk '/^voluntary/ {{n += $2}} END "
                                          "{{print n}}'",
                                          pool.master)));
  };
  const int before = waits();
  for (int i = 0; i < kRequests; ++i) BOOST_TEST(pool.ask("/") > 0);
  BOOST_TEST(waits() - before < 4 * kRequests);  // the one that serves waits for the bytes as well
}

BOOST_AUTO_TEST_CASE(an_answer_does_not_wait_for_what_is_done_when_idle) {
  std::array<int, 2> begun{};
  std::array<int, 2> may_end{};
  BOOST_REQUIRE(::pipe(begun.data()) == 0);
  BOOST_REQUIRE(::pipe(may_end.data()) == 0);
  const Pool pool(1, serving(1000, [&] {
                    char byte = 0;
                    if (::write(begun[1], &byte, 1) != 1 || ::read(may_end[0], &byte, 1) != 1) ::_exit(1);
                  }));
  for (int i = 0; i < 3; ++i) {
    pollfd entry{begun[0], POLLIN, 0};
    char byte = 0;
    BOOST_REQUIRE(::poll(&entry, 1, 20000) > 0);  // the request before was answered, and now is idle time
    BOOST_REQUIRE(::read(begun[0], &byte, 1) == 1);
    BOOST_REQUIRE(::write(may_end[1], &byte, 1) == 1);
    BOOST_TEST(pool.ask("/") > 0);
  }
  BOOST_TEST(::write(may_end[1], "", 1) == 1);  // so that the child can end
}

BOOST_AUTO_TEST_CASE(what_is_to_be_done_when_idle_is_done_before_a_busy_process_ends) {
  struct Done {
    pid_t by = 0;
    int answers = 0;  ///< of that process before it
  };
  std::array<int, 2> done{};
  BOOST_REQUIRE(::pipe(done.data()) == 0);
  const Pool pool(1, serving(4, [&] {
                    const Done now{::getpid(), answered};
                    if (::write(done[1], &now, sizeof now) != sizeof now) ::_exit(1);
                  }));
  const pid_t child = pool.ask("/");  // its second; two more follow at once, and one that it leaves
  ::kill(child, SIGSTOP);
  std::array<gp::UniqueFd, 3> waiting;
  for (gp::UniqueFd& each : waiting) {
    each = support::connect_to(pool.socket);
    support::send_all(each.get(), support::fcgi_request({{"REQUEST_METHOD", "GET"}, {"DOCUMENT_URI", "/"}}));
  }
  ::kill(child, SIGCONT);
  Done last;
  for (Done next{child, 0}; next.by == child;) {
    last = next;
    pollfd entry{done[0], POLLIN, 0};
    BOOST_REQUIRE(::poll(&entry, 1, 20000) > 0);
    BOOST_REQUIRE(::read(done[0], &next, sizeof next) == sizeof next);
  }
  BOOST_TEST(last.answers == 4);
}

BOOST_AUTO_TEST_CASE(what_waits_together_is_begun_together_up_to_a_bound) {
  const Pool pool(1, serving(), Pool::Way::kTogether);
  BOOST_TEST(pool.ask("/together") == 1);
  std::jthread slow([&] { pool.ask("/slow"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::array<std::atomic<int>, 4> seen{};
  {
    std::array<std::jthread, 4> askers;
    for (std::size_t i = 0; i < askers.size(); ++i)
      askers[i] = std::jthread([&, i] { seen[i] = pool.ask("/together"); });
  }
  std::array<int, 4> sorted{};
  std::ranges::copy(seen, sorted.begin());
  std::ranges::sort(sorted);
  BOOST_TEST((sorted == std::array{1, 3, 3, 3}));
}

BOOST_AUTO_TEST_CASE(what_the_handler_is_not_to_see_is_not_begun) {
  const Pool pool(1, serving(), Pool::Way::kTogether);
  std::jthread slow([&] { pool.ask("/slow"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::jthread refused([&] { pool.ask("/together", "DELETE"); });
  std::jthread preflight([&] { pool.ask("/together", "OPTIONS"); });
  BOOST_TEST(pool.ask("/together") == 1);
}

BOOST_AUTO_TEST_CASE(what_fails_for_all_is_answered_to_each_and_ends_no_process) {
  const Pool pool(1, serving(), Pool::Way::kTogether);
  const int child = pool.ask("/");
  std::jthread slow([&] { pool.ask("/slow"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::array<std::string, 2> replies;
  {
    std::array<std::jthread, 2> askers;
    for (std::size_t i = 0; i < askers.size(); ++i)
      askers[i] = std::jthread([&, i] { replies[i] = pool.reply("/unlucky"); });
  }
  for (const std::string& reply : replies) BOOST_TEST(reply.starts_with("Status: 500"));
  BOOST_TEST(pool.ask("/") == child);
}

BOOST_AUTO_TEST_CASE(one_that_is_at_it_for_long_keeps_no_other_from_work) {
  const Pool pool(2, serving(), Pool::Way::kTogether);
  std::atomic<bool> is_done = false;
  std::jthread slow([&] {
    pool.ask("/slow");
    is_done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  BOOST_TEST(pool.ask("/") > 0);
  BOOST_TEST(!is_done);
}

BOOST_AUTO_TEST_CASE(a_turn_is_seen_by_another_process_and_ends_by_itself) {
  gp::process::Turn turn;
  BOOST_TEST(turn.left().count() == 0);
  const auto in_another_process = [](const auto& check) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(check() ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0;
  };
  BOOST_TEST(in_another_process([&] {
    turn.begin();
    return true;
  }));
  const auto left = turn.left();  // it is gone, and had no time to end its turn
  BOOST_TEST((left <= gp::process::Turn::kPatience));
  std::this_thread::sleep_for(left);
  BOOST_TEST(turn.left().count() == 0);
  turn.begin();
  turn.end();
  BOOST_TEST(in_another_process([&] { return turn.left().count() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_child_that_dies_is_replaced_and_the_socket_stays) {
  const Pool pool(2);
  pool.ask("/die");
  pool.ask("/die");
  BOOST_TEST(Pool::wait_for([&] { return pool.ask("/") > 0; }));
}

BOOST_AUTO_TEST_CASE(a_child_is_recycled_after_its_requests) {
  const Pool pool(1, serving(3));
  const int first = pool.ask("/");
  BOOST_TEST(Pool::wait_for([&] {
    const int now = pool.ask("/");
    return now > 0 && now != first;
  }));
}

BOOST_AUTO_TEST_CASE(hup_replaces_every_child_without_a_gap) {
  const Pool pool(2);
  const int first = pool.ask("/");
  ::kill(pool.master, SIGHUP);
  BOOST_TEST(Pool::wait_for([&] { return pool.ask("/") != first; }));
  for (int i = 0; i < 50; ++i) BOOST_TEST(pool.ask("/") > 0);
}

BOOST_AUTO_TEST_CASE(term_ends_the_pool_and_its_children) {
  Pool pool(2);
  const int child = pool.ask("/");
  ::kill(pool.master, SIGTERM);
  BOOST_TEST(pool.exit_code() == 0);
  BOOST_TEST(Pool::wait_for([&] { return ::kill(child, 0) != 0; }));
  BOOST_TEST(pool.ask("/") == 0);
}

BOOST_AUTO_TEST_CASE(a_master_that_is_killed_takes_its_children_along) {
  const Pool pool(1);
  const int child = pool.ask("/");
  ::kill(pool.master, SIGKILL);
  BOOST_TEST(Pool::wait_for([&] { return ::kill(child, 0) != 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
