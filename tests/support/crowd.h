#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace support {

/// One event as a client received it. The views hold during the call only.
struct CrowdEvent {
  std::size_t client = 0;
  std::int64_t id = 0;
  gp::SteadyTime asked;     ///< when the client began to make this connection
  gp::SteadyTime received;  ///< when the bytes that completed the event were taken from the socket
  std::string_view name;    ///< cut after 31 bytes
  std::string_view data;
};

struct CrowdOptions {
  /// The request headers, and what the last event does: a page closes its EventSource, curl reads on to the
  /// end of the response.
  enum class Manner : std::uint8_t { kBrowser, kCurl };
  Manner manner = Manner::kBrowser;

  double connects_per_second =
      2000;                ///< of clients that were added; those that come back do so in their time
  bool reconnects = true;  ///< false: a client's first response is its last
  std::optional<std::chrono::milliseconds> retry;   ///< instead of what the server's retry: lines say
  int stalled_receive_bytes = 4096;                 ///< SO_RCVBUF of stalled clients
  std::function<void(const CrowdEvent&)> on_event;  ///< may add and release clients
};

enum class ClientState : std::uint8_t {
  kWaiting,     ///< for its turn to connect, or for the time to come back
  kConnecting,  ///< the request is not sent yet
  kAsked,       ///< the head of the response has not come
  kOpen,        ///< a stream with status 200
  kDone,        ///< a 204, or the run's last event
  kFailed,      ///< any other status, or no event stream: an EventSource stops for good
  kGone,        ///< its response ended or was cut and it does not come back; or released
};

/// What one client has seen. Ids must follow one another without gap, over all its connections.
struct ClientView {
  ClientState state = ClientState::kWaiting;
  int status = 0;            ///< of its last response; 0: none came
  std::int64_t last_id = 0;  ///< what a reconnect sends as Last-Event-ID; 0: it sends none
  std::uint64_t events = 0;
  std::uint64_t repeats = 0;    ///< an id that it had received before
  std::uint64_t gaps = 0;       ///< ids that were jumped over, each counted
  std::uint64_t disorders = 0;  ///< ids of a gap that came after all, late
  std::uint64_t reconnects = 0;
  gp::SteadyTime asked;  ///< when it last began to connect
};

/// All clients together: how many are in which state, and sums.
struct CrowdTotals {
  std::size_t waiting = 0, connecting = 0, asked = 0, open = 0, done = 0, failed = 0, gone = 0;
  std::uint64_t events = 0, repeats = 0, gaps = 0, disorders = 0, reconnects = 0;
  std::uint64_t unnumbered = 0;  ///< events without an id, or with one that is no number
  std::uint64_t comments = 0;
  std::uint64_t ended = 0;        ///< responses that came to their end
  std::uint64_t cut = 0;          ///< connections that broke off within a response
  std::uint64_t refused = 0;      ///< responses with a status that is neither 200 nor 204
  std::uint64_t unreachable = 0;  ///< connections that could not be made
  std::uint64_t bytes = 0;        ///< received

  /// Every event came once, in its place.
  bool is_exact() const noexcept { return repeats + gaps + disorders + unnumbered == 0; }
};

/// Very many clients of event streams on 127.0.0.1, driven by one thread with epoll. Each behaves as a
/// browser's EventSource (WHATWG HTML 9.2): it reads events, and when the response ends or is cut it comes
/// back after the server's retry: time (3 s where it names none) with Last-Event-ID. Not thread-safe:
/// everything, the callback included, happens in the thread that calls run_until().
///
/// Raises this process's soft limit of descriptors to the hard one. Source addresses are 127.0.0.1 and, once
/// its ports are used up, 127.0.0.2 and so on.
class Crowd {
 public:
  explicit Crowd(int port, CrowdOptions options = {});
  ~Crowd();  ///< closes all connections
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// A new client; it connects within run_until(), in its turn. Returns its index: 0, 1, 2 ...
  std::size_t add(std::string target, std::int64_t last_event_id = 0);

  /// A client that reads the head of its response, with what little comes along, and then nothing; its
  /// receive buffer is small. It does not come back after a cut.
  std::size_t add_stalled(std::string target, std::int64_t last_event_id = 0);
  void resume(std::size_t client);  ///< a stalled one reads on, and is as the others from now on

  /// Closes the client's connection; it does not come back.
  void release(std::size_t client);

  /// Drives the clients until `is_enough` holds (asked after every turn) or `patience` has passed. Returns
  /// whether it holds.
  bool run_until(const std::function<bool()>& is_enough, std::chrono::milliseconds patience);
  void run_for(std::chrono::milliseconds time);

  std::size_t size() const noexcept;
  ClientView client(std::size_t index) const;
  const CrowdTotals& totals() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace support
