#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "core/base/unique_fd.h"
#include "tests/support/crowd.h"
#include "tests/support/response_reader.h"
#include "tests/support/sse_reader.h"

namespace support {

/// One client of a Crowd: its connection, what it has read of the response, and the count of its ids.
struct CrowdClient {
  gp::UniqueFd fd;
  ClientView view;
  std::string target;
  std::int64_t highest_id = 0;
  std::unique_ptr<std::set<std::int64_t>> skipped;  ///< ids of gaps that have not come; made at the first gap
  ResponseReader response;
  SseReader events;
  bool is_stalled = false;
  bool has_last = false;  ///< the run's last event has come: the end of the response is the end

  bool is_finished() const noexcept { return view.state >= ClientState::kDone; }

  /// Notes an event's id and adds what is wrong about it to `totals`.
  void count(std::int64_t id, CrowdTotals& totals);

  /// The request, with Last-Event-ID where there is one.
  std::string request(int port, CrowdOptions::Manner manner) const;
};

/// A socket that has begun to connect to 127.0.0.1:`port`, non-blocking, from the given loopback address
/// (127.0.0.<source>; moved on where its ports are used up). `receive_bytes` 0: the system's. Empty where no
/// connection can be begun.
gp::UniqueFd begin_to_connect(int port, int& source, int receive_bytes);

}  // namespace support
