#include "core/streaming/stream_server.h"

#include <algorithm>
#include <array>
#include <random>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/report.h"
#include "core/fcgi/exchange.h"
#include "core/fcgi/records.h"
#include "core/http/cors.h"
#include "core/http/problem.h"
#include "core/http/sse.h"
#include "core/streaming/arrivals.h"
#include "core/streaming/hub.h"
#include "core/streaming/log_reader.h"
#include "core/streaming/poller.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_request.h"

namespace gp::streaming {
namespace {

using std::chrono::milliseconds;
using Phase = Stream::Phase;
using Standing = runlog::RunTail::Standing;

constexpr int kEventsPerTurn = 512;
constexpr milliseconds kTick{
    250};  ///< how exact the timers are; a scan of 10,000 streams takes well below 1 ms
constexpr milliseconds kRetryMin{
    2000};  ///< the browser's wait before it reconnects: spread, so that they do not all come at once
constexpr milliseconds kRetryMax{4000};
constexpr std::string_view kMethods = "GET, HEAD, OPTIONS";
constexpr std::string_view kKeepalive = "ka";

http::Response stream_header() {
  return {200,
          {{"Content-Type", "text/event-stream; charset=utf-8"},
           {"Cache-Control", "no-store"},
           {"X-Accel-Buffering", "no"}},
          {}};
}

/// The header of a response whose length is not known: a Content-Length would make nginx wait for the rest of
/// a cut stream.
std::string render_header(const http::Response& response) {
  std::string text = fmt::format("Status: {} {}\r\n", response.status, http::reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "\r\n";
}

std::string as_record(std::string_view bytes) {
  std::string record;
  fcgi::append_stdout(record, bytes);
  return record;
}

}  // namespace

StreamOptions stream_options(const Config& config) {
  StreamOptions options;
  options.keepalive = config.sse_keepalive_s;
  options.max_age = config.sse_max_age_s;
  options.stall = config.sse_stall_s;
  options.max_streams = static_cast<std::size_t>(config.sse_max_streams);
  options.buffer_bytes = static_cast<std::size_t>(config.sse_buffer_bytes);
  options.allowed_origins = config.cors_allowed_origins;
  return options;
}

class StreamServer::Impl {
 public:
  Impl(StreamOptions options, int listen_fd, int stop_fd, std::unique_ptr<EventLog> log)
      : options_(std::move(options)),
        cors_(options_.allowed_origins, std::string(kMethods)),
        listen_fd_(listen_fd),
        stop_fd_(stop_fd),
        arrivals_(poller_, listen_fd, options_.request_patience),
        reader_(std::move(log)),
        keepalive_(as_record(http::sse::comment(kKeepalive))) {
    for (const int fd : {listen_fd_, stop_fd_, reader_.news_fd()}) poller_.watch(fd, EPOLLIN);
  }

  void run() {
    while (!is_stopping_) {
      turn();
      tick_if_due();
      bury();
    }
    end_all();
  }

 private:
  void turn() {
    std::array<epoll_event, kEventsPerTurn> events{};
    for (const epoll_event& event : poller_.wait(events, kTick)) {
      if (event.data.fd == listen_fd_) {
        arrivals_.accept_some();
      } else if (event.data.fd == stop_fd_) {
        is_stopping_ = true;
      } else if (event.data.fd == reader_.news_fd()) {
        take_news();
      } else {
        serve(event);
      }
    }
  }

  void serve(const epoll_event& event) {
    const int fd = event.data.fd;
    if (arrivals_.contains(fd)) {
      if (auto detached = arrivals_.read(fd)) begin(std::move(*detached));
      return;
    }
    const auto found = streams_.find(fd);
    if (found == streams_.end()) return;
    Stream& stream = *found->second;
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      stream.phase = Phase::kDead;  // nginx closes its end when the client has gone
    } else if ((event.events & EPOLLOUT) != 0) {
      drain(stream);
    }
    if (stream.phase == Phase::kDead) dead_.push_back(fd);
  }

  void begin(fcgi::Detached detached) {
    auto stream = std::make_unique<Stream>();
    const SteadyTime now = steady_now();
    stream->fd = std::move(detached.fd);
    stream->opened = stream->progressed = now;
    stream->next_keepalive = now + options_.keepalive;
    stream->ends = now + spread(options_.max_age * 3 / 4, options_.max_age);
    stream->request = std::make_unique<http::Request>(std::move(detached.request));
    Stream& added = *stream;
    const int fd = added.fd.get();
    poller_.watch(fd, EPOLLRDHUP | EPOLLOUT | EPOLLET);
    streams_.insert_or_assign(fd, std::move(stream));
    open(added);
    if (added.phase == Phase::kDead) dead_.push_back(fd);
  }

  void open(Stream& stream) {
    const http::Request& request = *stream.request;
    if (request.method == "OPTIONS") return answer(stream, cors_.preflight(request));
    if (request.method != "GET" && request.method != "HEAD") {
      return answer(stream, http::to_response(http::method_not_allowed(), request.request_id)
                                .with("Allow", std::string(kMethods)));
    }
    if (streams_.size() > options_.max_streams) {
      return refuse(stream,
                    {503, "too_many_streams", "This host serves as many streams as it may; try again soon."});
    }
    auto parsed = parse_stream_request(request);
    if (const auto* problem = std::get_if<http::Problem>(&parsed)) return refuse(stream, *problem);
    auto& wanted = std::get<StreamRequest>(parsed);
    stream.cursor = wanted.cursor;
    stream.note = std::move(wanted.note);
    hub_.join(wanted.run_id, stream);
    reader_.want({{wanted.run_id, wanted.cursor}});
  }

  void refuse(Stream& stream, const http::Problem& problem) {
    answer(stream, http::to_response(problem, stream.request->request_id));
  }

  /// A whole answer instead of a stream.
  void answer(Stream& stream, http::Response response) {
    complete(*stream.request, response);
    stream.send(as_record(fcgi::render_response(response, stream.request->method == "HEAD")));
    end(stream);
  }

  void complete(const http::Request& request, http::Response& response) const {
    cors_.apply(request, response);
    response.with("X-Request-ID", request.request_id);
  }

  // The log's news
  // --------------------------------------------------------------------------------------------------

  void take_news() {
    LogNews news = reader_.take();
    const bool was_available = std::exchange(is_log_available_, news.is_available);
    for (const TailAnswer& tail : news.answers) deliver(tail);
    if (was_available && !is_log_available_)
      tell_all("the event log is unavailable; this stream goes on when it is back");
    std::vector<runlog::Cursor> wanted = news.must_sweep ? hub_.all_cursors() : std::vector<runlog::Cursor>();
    for (const RunId& run_id : news.rung) {
      if (auto cursor = hub_.cursor_of(run_id)) wanted.push_back(std::move(*cursor));
    }
    reader_.want(wanted);
  }

  void deliver(const TailAnswer& tail) {
    try {
      hub_.deliver(
          tail,
          {[this](Stream& stream, const runlog::RunTail& log) { before(stream, log); },
           [this](Stream& stream, std::int64_t, const std::string& frame) { return offer(stream, frame); },
           [this, &tail](Stream& stream, const runlog::RunTail& log) { after(stream, log, tail.is_full); }});
    } catch (const Error& error) {
      report::report(report::ThreadFailed{"event loop", error.what()});
    }
  }

  /// The first answer decides what a stream's response is.
  void before(Stream& stream, const runlog::RunTail& log) {
    if (stream.phase == Phase::kLive &&
        (log.standing == Standing::kUnknown || log.standing == Standing::kPruned)) {
      stream.send(
          as_record(http::sse::comment("this run is not known")));  // it was opened while the log was away
      return end(stream);
    }
    if (stream.phase != Phase::kOpening) return;
    switch (log.standing) {
      case Standing::kUnknown:
        return refuse(stream, {404, "run_not_found", "There is no such run."});
      case Standing::kPruned:
        return refuse(stream,
                      {410, "run_expired",
                       "The run's events are older than the retention; /status still has the document."});
      case Standing::kEnded:
        if (stream.cursor == log.last_id) return answer(stream, {204, {{"Cache-Control", "no-store"}}, {}});
        break;
      case Standing::kOpen:
        break;
    }
    if (stream.cursor > log.last_id) {
      stream.note = "the last event id is beyond the end: going on from the end";
      stream.cursor = log.last_id;
    }
    start(stream);
  }

  void start(Stream& stream) {
    http::Response header = stream_header();
    complete(*stream.request, header);
    const bool is_head = stream.request->method == "HEAD";
    std::string bytes = render_header(header);
    if (!is_head) bytes += http::sse::comment(stream.note.empty() ? "stream begins" : stream.note);
    stream.request.reset();
    stream.note = {};
    stream.phase = Phase::kLive;
    if (stream.send(as_record(bytes)) && is_head) end(stream);
  }

  /// False where the client is too far behind: it goes on from the log when its socket has drained.
  bool offer(Stream& stream, const std::string& frame) {
    if (stream.is_behind() && stream.pending.size() + frame.size() > options_.buffer_bytes) {
      stream.is_lagging = true;
      return false;
    }
    if (std::exchange(stream.needs_retry_line, false)) {
      stream.send(as_record(
          http::sse::retry(std::chrono::duration_cast<milliseconds>(spread(kRetryMin, kRetryMax)))));
    }
    stream.next_keepalive = steady_now() + options_.keepalive;
    return stream.send(frame);
  }

  void after(Stream& stream, const runlog::RunTail& log, bool is_full) {
    if (stream.phase == Phase::kDead) dead_.push_back(stream.fd.get());
    if (stream.phase != Phase::kLive || stream.is_lagging) return;
    if (log.standing == Standing::kEnded && stream.cursor >= log.last_id) return end(stream);
    if (is_full) reader_.want({{log.run_id, stream.cursor}});
  }

  // Writing
  // ---------------------------------------------------------------------------------------------------------

  void drain(Stream& stream) {
    if (!stream.is_behind() || !stream.flush() || stream.is_behind()) return;
    if (stream.phase == Phase::kEnding) {
      stream.phase = Phase::kDead;
    } else if (std::exchange(stream.is_lagging, false)) {
      reader_.want({{stream.channel->run_id, stream.cursor}});
    }
  }

  /// Ends the response cleanly between two frames; the connection is closed when all has been sent.
  void end(Stream& stream) {
    std::string bytes;
    fcgi::append_end(bytes);
    if (!stream.send(bytes)) return dead_.push_back(stream.fd.get());
    stream.phase = stream.is_behind() ? Phase::kEnding : Phase::kDead;
    if (stream.phase == Phase::kDead) dead_.push_back(stream.fd.get());
  }

  void tell_all(std::string_view comment) {
    const std::string record = as_record(http::sse::comment(comment));
    for (auto& [fd, stream] : streams_) {
      if (stream->phase == Phase::kLive && !stream->is_behind()) stream->send(record);
    }
  }

  /// Removes what is dead. Only here, so that nothing that the loop is looking at vanishes under it.
  void bury() {
    for (const int fd : std::exchange(dead_, {})) {
      const auto found = streams_.find(fd);
      if (found == streams_.end() || found->second->phase != Phase::kDead) continue;
      hub_.leave(*found->second);
      streams_.erase(found);
    }
  }

  // Timers
  // ----------------------------------------------------------------------------------------------------------

  void tick_if_due() {
    const SteadyTime now = steady_now();
    if (now < next_tick_) return;
    next_tick_ = now + kTick;
    arrivals_.drop_late(now);
    for (auto& [fd, stream] : streams_) {
      tick(*stream, now);
      if (stream->phase == Phase::kDead) dead_.push_back(fd);
    }
    reader_.want(hub_.due_cursors(now));
  }

  void tick(Stream& stream, SteadyTime now) {
    if (stream.is_behind() && now - stream.progressed > options_.stall) return drop(stream, "stalled");
    if (stream.phase == Phase::kOpening && !is_log_available_ &&
        now - stream.opened > options_.log_patience) {
      stream.note = "the event log is unavailable; this stream goes on when it is back";
      return start(stream);
    }
    if (stream.phase != Phase::kLive) return;
    if (stream.ends <= now) return end(stream);
    if (stream.next_keepalive > now) return;
    stream.next_keepalive = now + options_.keepalive;
    if (!stream.is_behind()) stream.send(keepalive_);
  }

  void drop(Stream& stream, const char* reason) {
    report::report(
        report::StreamDropped{stream.channel == nullptr ? "" : stream.channel->run_id.str(), reason});
    stream.phase = Phase::kDead;
  }

  void end_all() {
    for (auto& [fd, stream] : streams_) {
      if (stream->phase == Phase::kOpening) {  // a refusal would stop an EventSource for good
        stream->note = "this process is being stopped: come back";
        start(*stream);
      }
      if (stream->phase == Phase::kLive) end(*stream);
    }
    bury();
    for (const SteadyTime deadline = steady_now() + options_.drain;
         !streams_.empty() && steady_now() < deadline;) {
      std::array<epoll_event, kEventsPerTurn> events{};
      for (const epoll_event& event : poller_.wait(events, kTick)) {
        if (streams_.contains(event.data.fd)) serve(event);
      }
      bury();
    }
  }

  template <class Duration>
  Duration spread(Duration least, Duration most) {
    return Duration(
        std::uniform_int_distribution<typename Duration::rep>(least.count(), most.count())(random_));
  }

  StreamOptions options_;
  http::Cors cors_;
  int listen_fd_;
  int stop_fd_;
  Poller poller_;
  Arrivals arrivals_;
  LogReader reader_;
  std::string keepalive_;
  std::minstd_rand random_{std::random_device{}()};
  Hub hub_;
  std::unordered_map<int, std::unique_ptr<Stream>> streams_;
  std::vector<int> dead_;
  SteadyTime next_tick_ = steady_now();
  bool is_log_available_ = true;
  bool is_stopping_ = false;
};

StreamServer::StreamServer(StreamOptions options, int listen_fd, int stop_fd, std::unique_ptr<EventLog> log)
    : impl_(std::make_unique<Impl>(std::move(options), listen_fd, stop_fd, std::move(log))) {}
StreamServer::~StreamServer() = default;

void StreamServer::run() { impl_->run(); }

}  // namespace gp::streaming
