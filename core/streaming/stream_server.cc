#include "core/streaming/stream_server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/report.h"
#include "core/streaming/arrivals.h"
#include "core/streaming/delivery.h"
#include "core/streaming/hub.h"
#include "core/streaming/long_poll.h"
#include "core/streaming/news.h"
#include "core/streaming/peers.h"
#include "core/streaming/poller.h"
#include "core/streaming/replay_reader.h"
#include "core/streaming/stream.h"
#include "core/streaming/stream_request.h"
#include "core/streaming/stream_rules.h"
#include "core/streaming/stream_table.h"
#include "core/streaming/stream_writer.h"
#include "core/streaming/waves.h"

namespace gp::streaming {
namespace {

using std::chrono::milliseconds;
using Phase = Stream::Phase;

constexpr int kEventsPerTurn = 512;
constexpr milliseconds kTick{
    250};  ///< how exact the timers are; a scan of 10,000 streams takes well below 1 ms
constexpr milliseconds kCachePatience{300};           ///< then the log is asked as well
constexpr milliseconds kWaveTick{1};                  ///< how soon waves go on when a worker has caught up
constexpr std::size_t kWaveFrom = Peer::kMostUnread;  ///< an answer for more streams goes in parts

}  // namespace

class StreamServer::Impl {
 public:
  Impl(StreamOptions options, int listen_fd, int stop_fd, Sources sources)
      : options_(std::move(options)),
        listen_fd_(listen_fd),
        stop_fd_(stop_fd),
        arrivals_(poller_, listen_fd, options_.request_patience),
        writer_(options_, poller_),
        replay_(std::move(sources.replay), news_),
        log_(std::move(sources.log), news_, sources.reading) {
    for (const int fd : {listen_fd_, stop_fd_, news_.fd()}) poller_.watch(fd, EPOLLIN);
  }

  void run() {
    while (!is_stopping_) {
      turn();
      tick_if_due();
      bury();
      arrivals_.look(room());
    }
    end_all();
    replay_.finish();
    if (unfit_) throw Error(*unfit_);
  }

 private:
  void turn() {
    std::array<epoll_event, kEventsPerTurn> events{};
    for (const epoll_event& event : poller_.wait(events, patience())) {
      if (event.data.fd == listen_fd_) {
        arrivals_.accept_some(room());
      } else if (event.data.fd == stop_fd_) {
        is_stopping_ = true;
      } else if (event.data.fd == news_.fd()) {
        take_news();
      } else {
        serve(event);
      }
    }
    for (TailAnswer& answer : waves_.advance()) deliver(answer);
  }

  milliseconds patience() const {
    if (!waves_.empty()) return kWaveTick;
    return arrivals_.is_resting() ? Arrivals::kLook : kTick;
  }

  /// For so many more streams; what has been accepted may become one each.
  std::size_t room() const {
    return options_.max_streams - std::min(options_.max_streams, streams_.size() + arrivals_.size());
  }

  void serve(const epoll_event& event) {
    const int fd = event.data.fd;
    if (arrivals_.contains(fd)) return read_arrival(fd);
    Stream* stream = streams_.find(fd);
    if (stream == nullptr) return;
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      stream->phase = Phase::kDead;  // nginx closes its end when the client has gone
    } else if ((event.events & EPOLLOUT) != 0) {
      writer_.flush(*stream);
      if (stream->phase == Phase::kLive && !stream->is_behind() && std::exchange(stream->is_lagging, false))
        want(*stream);
    }
    note_end_of(*stream);
  }

  void read_arrival(int fd) {
    if (auto detached = arrivals_.read(fd)) begin(std::move(*detached));
  }

  void note_end_of(Stream& stream) {
    if (stream.phase == Phase::kDead) dead_.push_back(stream.fd.get());
  }

  // Opening
  // ---------------------------------------------------------------------------------------------------------

  void begin(fcgi::Detached detached) {
    const SteadyTime now = steady_now();
    auto stream = std::make_unique<Stream>();
    stream->fd = std::move(detached.fd);
    stream->peer = peers_.join(pid_of_peer(stream->fd.get()));
    stream->progressed = now;
    stream->next_keepalive = now + options_.keepalive;
    stream->ends = now + spread(options_.max_age * 3 / 4, options_.max_age);
    stream->question = std::make_unique<Question>(Question{std::move(detached.request), false, {}, now, now});
    poller_.watch(stream->fd.get(), EPOLLRDHUP | EPOLLET);
    Stream& added = streams_.add(std::move(stream));
    open(added);
    note_end_of(added);
  }

  void open(Stream& stream) {
    const http::Request& request = stream.question->request;
    if (request.method == "OPTIONS") return writer_.answer_preflight(stream);
    if (request.method != "GET" && request.method != "HEAD") return writer_.refuse_method(stream);
    if (streams_.size() > options_.max_streams) {
      metrics::count(metrics::Counter::kStreamsRefused);
      return writer_.refuse(
          stream, {503, "too_many_streams", "This host serves as many streams as it may; try again soon."});
    }
    if (request.path == "/events") return open_poll(stream);
    auto parsed = parse_stream_request(request);
    if (const auto* problem = std::get_if<http::Problem>(&parsed)) return writer_.refuse(stream, *problem);
    auto& wanted = std::get<StreamRequest>(parsed);
    stream.question->note = std::move(wanted.note);
    follow(stream, wanted.run_id, wanted.cursor);
  }

  void open_poll(Stream& stream) {
    const auto parsed = parse_poll_request(stream.question->request);
    if (const auto* problem = std::get_if<http::Problem>(&parsed)) return writer_.refuse(stream, *problem);
    const auto& wanted = std::get<PollRequest>(parsed);
    stream.question->is_poll = true;
    stream.question->answer_by = stream.question->since + wanted.wait;
    follow(stream, wanted.run_id, wanted.after);
  }

  void follow(Stream& stream, const RunId& run_id, std::int64_t cursor) {
    stream.cursor = cursor;
    stream.reads_before = log_.reads_begun();
    hub_.join(run_id, stream);
    want(stream);
  }

  /// What this host has beyond the stream's cursor; see ask_log_if_due().
  void want(Stream& stream) {
    stream.ask_log_at = steady_now() + kCachePatience;
    replay_.want({*stream.channel->run_id, stream.cursor});
  }

  // The readers' news
  // -----------------------------------------------------------------------------------------------------------

  void take_news() {
    News news = news_.take();
    if (news.end) {
      unfit_ = news.end;
      is_stopping_ = true;
    }
    const bool is_outage = rules_.note_log(news.is_log_available);
    for (TailAnswer& answer : news.answers) deliver(answer);
    if (!is_outage) return;
    for (Stream* stream : streams_.all()) {
      rules_.tell_of_outage(*stream);
      note_end_of(*stream);
    }
  }

  void deliver(TailAnswer& answer) {
    if (waves_.put_behind(answer)) return;
    Channel* channel = hub_.find(answer.asked.run_id);
    if (channel == nullptr) return;  // everybody has gone meanwhile
    const auto concerned = channel->concerned_by(answer);
    try {
      if (answer.is_live && concerned.size() > kWaveFrom) return waves_.begin(std::move(answer), concerned);
      Delivery delivery(answer);
      for (Stream* stream : concerned) offer_and_note(*stream, answer, delivery);
      delivery.count();
      channel->settle(answer);
    } catch (const Error& error) {
      report::report(report::ThreadFailed{"event loop", error.what()});
    }
    follow_up(answer);
  }

  void end_wave(TailAnswer& answer, const Delivery& delivery) {
    delivery.count();
    if (Channel* channel = hub_.find(answer.asked.run_id)) channel->settle(answer);
    follow_up(answer);
  }

  void follow_up(TailAnswer& answer) {
    read_on(answer);
    if (answer.source == TailAnswer::Source::kLog) replay_.keep(as_cached(std::move(answer)));
  }

  /// The replay cache has said what it has: the rest is the log's. A complete run has no rest.
  void read_on(const TailAnswer& answer) {
    if (answer.source != TailAnswer::Source::kReplay) return;
    if (answer.is_full) {
      replay_.want({answer.asked.run_id, answer.end()});
    } else if (!answer.is_authoritative()) {
      log_.want({answer.asked.run_id, answer.end()});
    }
  }

  void offer_and_note(Stream& stream, const TailAnswer& answer, Delivery& delivery) {
    if (stream.cursor < answer.asked.after) return;  // its own read is on its way
    rules_.take(stream, answer, delivery);
    note_asked(stream, answer);
    note_end_of(stream);
  }

  /// The log need not be asked for a stream that either source has answered; see read_on() for the rest.
  static void note_asked(Stream& stream, const TailAnswer& answer) {
    const bool is_of_cache = answer.source == TailAnswer::Source::kReplay;
    if (is_of_cache && answer.is_full) {
      stream.ask_log_at = steady_now() + kCachePatience;
    } else if (is_of_cache || stream.phase != Phase::kOpening) {
      stream.ask_log_at = SteadyTime::max();
    }
  }

  // Timers
  // ----------------------------------------------------------------------------------------------------------

  void tick_if_due() {
    const SteadyTime now = steady_now();
    if (now < next_tick_) return;
    next_tick_ = now + kTick;
    arrivals_.drop_late(now);
    std::int64_t polls = 0;
    for (Stream* stream : streams_.all()) {
      ask_log_if_due(*stream, now);
      rules_.tick(*stream, now);
      note_end_of(*stream);
      if (stream->is_poll()) ++polls;
    }
    metrics::set(metrics::Gauge::kLongPollsOpen, polls);
    metrics::set(metrics::Gauge::kStreamsOpen, static_cast<std::int64_t>(streams_.size()) - polls);
  }

  /// A disk that stands still keeps nobody from the log. Where both answer after all, a stream takes from the
  /// later answer what lies beyond its cursor, as always.
  void ask_log_if_due(Stream& stream, SteadyTime now) {
    if (now < stream.ask_log_at) return;
    stream.ask_log_at = SteadyTime::max();
    log_.want({*stream.channel->run_id, stream.cursor});
  }

  // Ends
  // ------------------------------------------------------------------------------------------------------------

  /// Removes what is dead. Only here, so that nothing that the loop is looking at vanishes under it.
  void bury() {
    for (const int fd : std::exchange(dead_, {})) {
      Stream* stream = streams_.find(fd);
      if (stream == nullptr || stream->phase != Phase::kDead) continue;
      if (stream->channel != nullptr) {
        const RunId run_id = *stream->channel->run_id;
        if (hub_.leave(*stream)) log_.forget(run_id);
      }
      peers_.leave(stream->peer);
      streams_.remove(fd);
    }
  }

  /// What has been accepted is answered, because nobody else can; what waits in the listening socket is the
  /// successor's.
  void end_all() {
    for (const int fd : {listen_fd_, stop_fd_, news_.fd()}) poller_.unwatch(fd);  // they stay readable
    for (const int fd : arrivals_.fds()) read_arrival(fd);
    end_streams();
    for (const SteadyTime deadline = steady_now() + options_.drain;
         streams_.size() + arrivals_.size() > 0 && steady_now() < deadline;) {
      std::array<epoll_event, kEventsPerTurn> events{};
      for (const epoll_event& event : poller_.wait(events, kTick)) serve(event);
      end_streams();
    }
    metrics::set(metrics::Gauge::kStreamsOpen, 0);
    metrics::set(metrics::Gauge::kLongPollsOpen, 0);
  }

  void end_streams() {
    for (Stream* stream : streams_.all()) {
      rules_.stop(*stream);
      note_end_of(*stream);
    }
    bury();
  }

  template <class Duration>
  Duration spread(Duration least, Duration most) {
    return Duration(
        std::uniform_int_distribution<typename Duration::rep>(least.count(), most.count())(random_));
  }

  StreamOptions options_;
  int listen_fd_;
  int stop_fd_;
  Poller poller_;
  Arrivals arrivals_;
  StreamWriter writer_;
  StreamRules rules_{options_, writer_};
  std::minstd_rand random_{std::random_device{}()};
  Hub hub_;
  StreamTable streams_;
  Peers peers_;
  Waves waves_{streams_, peers_,
               [this](Stream& stream, const TailAnswer& answer, Delivery& delivery) {
                 offer_and_note(stream, answer, delivery);
               },
               [this](TailAnswer& answer, const Delivery& delivery) { end_wave(answer, delivery); }};
  std::vector<int> dead_;
  SteadyTime next_tick_ = steady_now();
  bool is_stopping_ = false;
  std::optional<Error> unfit_;
  NewsBox news_;
  ReplayReader replay_;
  LogReader log_;
};

StreamServer::StreamServer(StreamOptions options, int listen_fd, int stop_fd, Sources sources)
    : impl_(std::make_unique<Impl>(std::move(options), listen_fd, stop_fd, std::move(sources))) {}
StreamServer::~StreamServer() = default;

void StreamServer::run() { impl_->run(); }

}  // namespace gp::streaming
