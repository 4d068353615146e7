#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/unique_fd.h"
#include "tests/bench/samples.h"

namespace bench {

/// A connection to 127.0.0.1 whose reads give up after 5 s. Both throw std::runtime_error where there is
/// none.
gp::UniqueFd connect_to(int port);
void send_text(int fd, const std::string& text);

/// One GET on a connection of its own to 127.0.0.1, until the response is whole. Throws std::runtime_error
/// where it is not within 5 s.
int get_status(int port, const std::string& target);

struct Load {
  double requests_per_second = 0;
  Samples times;
  std::uint64_t wrong = 0;  ///< responses with another status, and connections that broke
};

/// Eight keep-alive connections, each with one request at a time, as fast as the answers come. `headers`:
/// lines that end with CRLF.
Load load(int port, const std::string& target, int expected_status, std::chrono::milliseconds time,
          const std::string& headers = {});

}  // namespace bench
