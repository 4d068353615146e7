#include "tests/support/crowd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/support/crowd_client.h"
#include "tests/support/crowd_schedule.h"

namespace support {

using gp::SteadyTime;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kDefaultRetry{3000};
constexpr milliseconds kLongestTurn{50};
constexpr std::size_t kConnectsPerTurn = 64;
constexpr std::size_t kReadsPerTurn = 4;  ///< of one client: the others wait
constexpr std::size_t kBufferBytes = 65536;
constexpr std::size_t kStalledReadBytes = 256;  ///< a stalled client takes little more than the head

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t& count_of(CrowdTotals& totals, ClientState state) {
  switch (state) {
    case ClientState::kWaiting:
      return totals.waiting;
    case ClientState::kConnecting:
      return totals.connecting;
    case ClientState::kAsked:
      return totals.asked;
    case ClientState::kOpen:
      return totals.open;
    case ClientState::kDone:
      return totals.done;
    case ClientState::kFailed:
      return totals.failed;
    case ClientState::kGone:
      break;
  }
  return totals.gone;
}

}  // namespace

class Crowd::Impl {
 public:
  Impl(int port, CrowdOptions options)
      : port_(port), options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    raise_descriptor_limit();
    if (!epoll_) throw std::runtime_error("no descriptor for epoll");
  }

  std::size_t add(std::string target, std::int64_t last_event_id, bool is_stalled) {
    CrowdClient& client = clients_.emplace_back();
    client.target = std::move(target);
    client.view.last_id = client.highest_id = last_event_id;
    client.is_stalled = is_stalled;
    ++totals_.waiting;
    schedule_.add(clients_.size() - 1);
    return clients_.size() - 1;
  }

  void resume(std::size_t index) {
    CrowdClient& client = clients_.at(index);
    client.is_stalled = false;
    if (client.view.state == ClientState::kOpen) watch(index, EPOLLIN, EPOLL_CTL_MOD);
  }

  void release(std::size_t index) {
    CrowdClient& client = clients_.at(index);
    if (!client.is_finished()) leave(client, ClientState::kGone);
  }

  bool run_until(const std::function<bool()>& is_enough, milliseconds patience) {
    const SteadyTime deadline = gp::steady_now() + patience;
    while (!is_enough()) {
      if (gp::steady_now() >= deadline) return false;
      turn(deadline);
    }
    return true;
  }

  const std::deque<CrowdClient>& clients() const { return clients_; }
  const CrowdTotals& totals() const { return totals_; }

 private:
  // Turns

  void turn(SteadyTime deadline) {
    const SteadyTime now = gp::steady_now();
    connect_newcomers(now);
    connect_returned(now);
    const int count =
        ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), wait_ms(now, deadline));
    for (int i = 0; i < count; ++i) serve(ready_[static_cast<std::size_t>(i)]);
  }

  int wait_ms(SteadyTime now, SteadyTime deadline) const {
    const SteadyTime until = schedule_.next_time(std::min(deadline, now + kLongestTurn));
    const auto wait = std::chrono::ceil<milliseconds>(until - now).count();
    return static_cast<int>(std::max<std::int64_t>(wait, 0));
  }

  void connect_newcomers(SteadyTime now) {
    for (std::size_t i = 0; i < kConnectsPerTurn; ++i) {
      const auto index = schedule_.next_newcomer(now);
      if (!index) return;
      if (clients_[*index].view.state == ClientState::kWaiting) connect(*index);
    }
  }

  void connect_returned(SteadyTime now) {
    for (std::size_t i = 0; i < kConnectsPerTurn; ++i) {
      const auto index = schedule_.next_return(now);
      if (!index) return;
      CrowdClient& client = clients_[*index];
      if (client.view.state != ClientState::kWaiting) continue;
      ++client.view.reconnects;
      ++totals_.reconnects;
      connect(*index);
    }
  }

  void serve(const epoll_event& ready) {
    const std::size_t index = ready.data.u64;
    CrowdClient& client = clients_[index];
    if (client.view.state == ClientState::kConnecting) {
      ask(index);
    } else if (client.is_stalled && client.view.state == ClientState::kOpen) {
      if ((ready.events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) lose(index);
    } else {
      read(index);
    }
  }

  // Connecting

  void connect(std::size_t index) {
    CrowdClient& client = clients_[index];
    client.response = {};
    client.events.restart();
    client.view.asked = gp::steady_now();
    client.fd = begin_to_connect(port_, source_, client.is_stalled ? options_.stalled_receive_bytes : 0);
    if (!client.fd) return miss(index);
    enter(client, ClientState::kConnecting);
    watch(index, EPOLLOUT, EPOLL_CTL_ADD);
  }

  /// The connection is made, or has failed: the request tells.
  void ask(std::size_t index) {
    CrowdClient& client = clients_[index];
    const std::string request = client.request(port_, options_.manner);
    if (::send(client.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      return miss(index);
    }
    enter(client, ClientState::kAsked);
    watch(index, EPOLLIN, EPOLL_CTL_MOD);
  }

  void miss(std::size_t index) {
    ++totals_.unreachable;
    come_back_later(index);
  }

  // Reading

  void read(std::size_t index) {
    CrowdClient& client = clients_[index];
    for (std::size_t i = 0; i < kReadsPerTurn && client.fd; ++i) {
      const std::size_t want = client.is_stalled ? kStalledReadBytes : buffer_.size();
      const ssize_t got = ::recv(client.fd.get(), buffer_.data(), want, 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) return lose(index);
      totals_.bytes += static_cast<std::uint64_t>(got);
      take(index, {buffer_.data(), static_cast<std::size_t>(got)}, gp::steady_now());
      if (static_cast<std::size_t>(got) < want || client.view.state == ClientState::kOpen) return;
    }
  }

  void take(std::size_t index, std::string_view bytes, SteadyTime now) {
    CrowdClient& client = clients_[index];
    while (client.fd) {
      std::string_view piece = client.response.take(bytes);
      if (client.view.state == ClientState::kAsked && client.response.has_head() && !open(index)) return;
      if (client.response.is_broken()) return lose(index);
      if (!piece.empty()) take_events(index, piece, now);
      if (client.fd && client.response.is_done()) return end(index);
      if (bytes.empty()) return;
    }
  }

  /// The head is there. False: there is no stream to read.
  bool open(std::size_t index) {
    CrowdClient& client = clients_[index];
    client.view.status = client.response.status();
    if (client.view.status == 200 && client.response.is_event_stream()) {
      enter(client, ClientState::kOpen);
      if (client.is_stalled) watch(index, EPOLLRDHUP, EPOLL_CTL_MOD);
      return true;
    }
    if (client.view.status != 200 && client.view.status != 204) ++totals_.refused;
    leave(client, client.view.status == 204 ? ClientState::kDone : ClientState::kFailed);
    return false;
  }

  void take_events(std::size_t index, std::string_view piece, SteadyTime now) {
    CrowdClient& client = clients_[index];
    const std::uint64_t comments = client.events.comments();
    while (client.fd && client.events.next(piece)) take_event(index, now);
    totals_.comments += client.events.comments() - comments;
  }

  void take_event(std::size_t index, SteadyTime now) {
    CrowdClient& client = clients_[index];
    const auto id = client.events.id();
    ++client.view.events;
    ++totals_.events;
    if (id) {
      client.count(*id, totals_);
    } else {
      ++totals_.unnumbered;
    }
    const std::string_view name = client.events.name();
    const bool is_last = name == "run_completed" || name == "error";
    if (is_last && options_.manner == CrowdOptions::Manner::kBrowser) leave(client, ClientState::kDone);
    client.has_last = is_last;
    if (options_.on_event)
      options_.on_event({index, id.value_or(0), client.view.asked, now, name, client.events.data()});
  }

  // Ends

  /// The response has come to its end.
  void end(std::size_t index) {
    ++totals_.ended;
    come_back_later(index);
  }

  /// The connection has ended, within the response or behind it.
  void lose(std::size_t index) {
    if (clients_[index].response.end()) return end(index);
    ++totals_.cut;
    come_back_later(index);
  }

  void come_back_later(std::size_t index) {
    CrowdClient& client = clients_[index];
    if (client.has_last) return leave(client, ClientState::kDone);
    if (!options_.reconnects || client.is_stalled) return leave(client, ClientState::kGone);
    client.fd.reset();
    enter(client, ClientState::kWaiting);
    const milliseconds retry = options_.retry.value_or(client.events.retry().value_or(kDefaultRetry));
    schedule_.come_back(index, gp::steady_now() + retry);
  }

  void leave(CrowdClient& client, ClientState state) {
    client.fd.reset();
    enter(client, state);
  }

  void enter(CrowdClient& client, ClientState state) {
    --count_of(totals_, std::exchange(client.view.state, state));
    ++count_of(totals_, state);
  }

  void watch(std::size_t index, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = index;
    ::epoll_ctl(epoll_.get(), operation, clients_[index].fd.get(), &event);
  }

  int port_;
  CrowdOptions options_;
  gp::UniqueFd epoll_;
  int source_ = 1;
  std::deque<CrowdClient> clients_;  ///< a client's address is stable
  CrowdSchedule schedule_{options_.connects_per_second};
  CrowdTotals totals_;
  std::array<epoll_event, 512> ready_{};
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
};

Crowd::Crowd(int port, CrowdOptions options) : impl_(std::make_unique<Impl>(port, std::move(options))) {}
Crowd::~Crowd() = default;

std::size_t Crowd::add(std::string target, std::int64_t last_event_id) {
  return impl_->add(std::move(target), last_event_id, false);
}
std::size_t Crowd::add_stalled(std::string target, std::int64_t last_event_id) {
  return impl_->add(std::move(target), last_event_id, true);
}
void Crowd::resume(std::size_t client) { impl_->resume(client); }
void Crowd::release(std::size_t client) { impl_->release(client); }

bool Crowd::run_until(const std::function<bool()>& is_enough, milliseconds patience) {
  return impl_->run_until(is_enough, patience);
}
void Crowd::run_for(milliseconds time) {
  impl_->run_until([] { return false; }, time);
}

std::size_t Crowd::size() const noexcept { return impl_->clients().size(); }
ClientView Crowd::client(std::size_t index) const { return impl_->clients().at(index).view; }
const CrowdTotals& Crowd::totals() const noexcept { return impl_->totals(); }

}  // namespace support
