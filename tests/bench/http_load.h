#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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
  std::uint64_t wrong = 0;  ///< responses that were not the right one
};

/// Which requests a load sends and which answers are right. Numbers count from 0, each is asked once; answers
/// come in any order.
struct Questions {
  std::function<std::string(std::size_t number)> ask;  ///< the whole request
  std::function<bool(std::size_t number, int status, const std::string& body)> is_right;
};

/// A whole request. `headers`: lines that end with CRLF.
std::string get_request(const std::string& target, const std::string& headers = {});
std::string post_request(const std::string& target, const std::string& json);

/// 32 keep-alive connections, each with one request at a time, as fast as the answers come. What is under way
/// when `time` is over is waited for and checked, but not counted. Throws std::runtime_error where a
/// connection breaks.
Load load(int port, const Questions& questions, std::chrono::milliseconds time);

/// The same requests over and over.
Load load(int port, const std::vector<std::string>& requests, int expected_status,
          std::chrono::milliseconds time);

}  // namespace bench
