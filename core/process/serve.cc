#include "core/process/serve.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <exception>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/epoll.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/base/unique_fd.h"
#include "core/fcgi/exchange.h"
#include "core/http/cors.h"
#include "core/http/problem.h"

namespace gp::process {
namespace {

void report_failure(const http::Request& request, const Error& error) {
  report::report(
      report::RequestFailed{request.request_id, std::string(name_of(error.kind())), error.what(),
                            fmt::format("{}:{}", error.where().file_name(), error.where().line())});
}

bool is_method_allowed(const std::string& methods, const std::string& method) {
  return (", " + methods + ",").find(", " + method + ",") != std::string::npos;
}

/// The handler's answer, or the problem that its exception is.
http::Response call(const http::Request& request, const Handle& handle) {
  try {
    return handle(request);
  } catch (const Error& error) {
    const http::Problem problem = http::problem_for(error);
    if (problem.status >= 500) report_failure(request, error);
    return http::to_response(problem, request.request_id);
  } catch (const std::exception& error) {
    const Error bug(ErrorKind::kBug, error.what());
    report_failure(request, bug);
    return http::to_response(http::problem_for(bug), request.request_id);
  }
}

/// Why a request does not reach the handler.
std::optional<http::Response> refuse(const http::Request& request, const ServeOptions& options) {
  if (!is_method_allowed(options.methods, request.method)) {
    return http::to_response(http::method_not_allowed(), request.request_id).with("Allow", options.methods);
  }
  if (request.body.size() > static_cast<std::size_t>(options.body_limit_bytes)) {
    return http::to_response(
        {413, "body_too_large", fmt::format("The body is larger than {} bytes.", options.body_limit_bytes)},
        request.request_id);
  }
  return std::nullopt;
}

http::Response check_and_call(const http::Request& request, const ServeOptions& options, const Handle& handle,
                              SteadyTime begun) {
  if (auto refusal = refuse(request, options)) return std::move(*refusal);
  http::Response response = call(request, handle);
  metrics::observe(metrics::Histogram::kRequestTime, steady_now() - begun);
  return response;
}

/// Where one process of a pool waits for its next connection. A connection wakes one that waits, not all of
/// them (EPOLLEXCLUSIVE): with poll(2) each request would start the whole pool, and all but one in vain.
class Door {
 public:
  explicit Door(const Child& child) : child_(child), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw Error(ErrorKind::kUnavailable, "no descriptor is left to wait with");
    watch(child.listen_fd, EPOLLIN | EPOLLEXCLUSIVE);
    watch(child.stop_fd, EPOLLIN);
  }

  bool is_quiet() const {
    epoll_event ready{};
    return ::epoll_wait(epoll_.get(), &ready, 1, 0) == 0;
  }

  enum class News { kConnection, kStop, kNone };
  /// For `most` at most; kNone after that. A negative time is for ever.
  News wait(std::chrono::milliseconds most) const {
    std::array<epoll_event, 2> ready{};
    while (true) {
      const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()),
                                     static_cast<int>(most.count()));
      if (count == 0) return News::kNone;
      if (count < 0) continue;  // EINTR
      const auto told = std::span(ready).first(static_cast<std::size_t>(count));
      const bool is_stopped = std::ranges::any_of(
          told, [this](const epoll_event& event) { return event.data.fd == child_.stop_fd; });
      return is_stopped ? News::kStop : News::kConnection;
    }
  }

 private:
  void watch(int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw Error(ErrorKind::kBug, "a descriptor cannot be waited for");
  }

  const Child& child_;
  UniqueFd epoll_;
};

/// A request that was read. Where the handler is not to see it, its answer is null.
struct Read {
  fcgi::Exchange exchange;
  Answer answer = {};
};

/// The requests that wait, in the order in which they came; none where the others of the pool were faster.
std::deque<Read> accept_together(const Child& child, std::size_t most, const ServeOptions& options) {
  const auto body_limit = static_cast<std::size_t>(options.body_limit_bytes);
  std::deque<Read> together;
  while (together.size() < most) {
    auto exchange = fcgi::Exchange::accept(child.listen_fd, body_limit);
    if (!exchange) break;
    together.push_back({std::move(*exchange)});
  }
  return together;
}

/// True where it did, for a moment: then what waits may have been taken.
bool leave_to_another(const Child& child) {
  const auto left = child.turn->left();
  if (left.count() > 0) std::this_thread::sleep_for(left);
  return left.count() > 0;
}

std::vector<Answer> begin_or_fail(std::span<const http::Request* const> requests, const Begin& begin) {
  try {
    return begin(requests);
  } catch (const std::exception&) {
    return {requests.size(),
            [error = std::current_exception()]() -> http::Response { std::rethrow_exception(error); }};
  }
}

void begin_all(std::deque<Read>& together, const ServeOptions& options, const Begin& begin) {
  std::vector<const http::Request*> requests;
  std::vector<Answer*> places;
  for (Read& read : together) {
    const http::Request& request = read.exchange.request();
    if (request.method == "OPTIONS" || refuse(request, options)) continue;
    requests.push_back(&request);
    places.push_back(&read.answer);
  }
  if (requests.empty()) return;
  std::vector<Answer> answers = begin_or_fail(requests, begin);
  for (std::size_t i = 0; i < places.size(); ++i) *places[i] = std::move(answers.at(i));
}

constexpr std::chrono::milliseconds kLongestWaitForIdle{2};
constexpr std::chrono::milliseconds kForEver{-1};

/// Calls ServeOptions::when_idle in time: after an answer, where nobody waits, and else soon, whether the
/// next request comes to this process or to another one of its pool.
class IdleWork {
 public:
  IdleWork(const ServeOptions& options, const Door& door) : options_(options), door_(door) {}

  void after_answer() {
    if (!options_.when_idle) return;
    is_due_ = true;
    if (door_.is_quiet()) return do_now();
    do_if_late();
  }

  void do_if_late() {
    if (is_due_ && steady_now() - last_ >= kLongestWaitForIdle) do_now();
  }

  /// Before this process ends.
  void do_if_due() {
    if (is_due_) do_now();
  }

  /// How long one may wait until do_if_late() must be called.
  std::chrono::milliseconds patience() const { return is_due_ ? kLongestWaitForIdle : kForEver; }

 private:
  void do_now() {
    options_.when_idle();
    is_due_ = false;
    last_ = steady_now();
  }

  const ServeOptions& options_;
  const Door& door_;
  bool is_due_ = false;
  SteadyTime last_{};
};

/// In their order. Returns what makes this process of no use any more, if one of them met that.
std::optional<Error> answer_all(std::deque<Read> together, const ServeOptions& options, SteadyTime begun) {
  std::optional<Error> unfit;
  for (; !together.empty(); together.pop_front()) {  // sends it: its caller need not wait for what follows
    Read& read = together.front();
    const Handle handle = [&](const http::Request&) {
      try {
        return read.answer();
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::kSchema) unfit = error;
        throw;
      }
    };
    read.exchange.write(respond(read.exchange.request(), options, handle, begun));
  }
  return unfit;
}

int serve_up_to(std::size_t most, const Child& child, const ServeOptions& options, const Begin& begin) {
  const Door door(child);
  IdleWork idle_work(options, door);
  for (std::int64_t served = 0; served < options.max_requests;) {
    const Door::News news = door.wait(idle_work.patience());
    if (news == Door::News::kStop) break;
    idle_work.do_if_late();
    if (news == Door::News::kNone || (most > 1 && leave_to_another(child))) continue;
    auto together = accept_together(child, most, options);
    if (together.empty()) continue;
    if (together.size() < most) child.turn->begin();
    const SteadyTime begun = steady_now();  // what one waits for the others, and all for the database, counts
    begin_all(together, options, begin);
    served += static_cast<std::int64_t>(together.size());
    const auto unfit = answer_all(std::move(together), options, begun);
    child.turn->end();
    if (unfit) throw Error(*unfit);
    idle_work.after_answer();
  }
  idle_work.do_if_due();
  return 0;
}

}  // namespace

ServeOptions serve_options(const Config& config, std::string methods) {
  return {std::move(methods), config.cors_allowed_origins, config.body_limit_bytes, config.max_requests};
}

http::Response respond(const http::Request& request, const ServeOptions& options, const Handle& handle,
                       SteadyTime begun) {
  const http::Cors cors(options.allowed_origins, options.methods);
  http::Response response =
      request.method == "OPTIONS" ? cors.preflight(request) : check_and_call(request, options, handle, begun);
  cors.apply(request, response);
  response.with("X-Request-ID", request.request_id);
  metrics::count_answer(response.status);
  return response;
}

int serve(const Child& child, const ServeOptions& options, const Handle& handle) {
  const Begin begin = [&](std::span<const http::Request* const> together) {
    std::vector<Answer> answers;
    for (const http::Request* request : together)
      answers.emplace_back([&handle, request] { return handle(*request); });
    return answers;
  };
  return serve_up_to(1, child, options, begin);
}

int serve_together(const Child& child, const ServeOptions& options, const Begin& begin) {
  return serve_up_to(options.most_together, child, options, begin);
}

}  // namespace gp::process
