#pragma once

#include <array>
#include <cstdint>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/streaming/news.h"
#include "core/streaming/stream.h"

/// What the tests of this room give to each other.
namespace streaming_test {

/// What a read of the log beyond `after` gave of an open run whose newest event is `last`; not a live one.
inline gp::streaming::TailAnswer log_answer(const gp::RunId& run, std::int64_t after, std::int64_t last) {
  gp::streaming::TailAnswer answer;
  answer.asked = {run, after};
  answer.tail.run_id = run;
  answer.tail.standing = gp::runlog::RunTail::Standing::kOpen;
  answer.tail.last_id = last;
  for (std::int64_t id = after + 1; id <= last; ++id)
    answer.tail.events.push_back({id, "section_started", "{}"});
  return answer;
}

/// Makes the stream live on a connection; returns its other end, which is nginx's. Neither end blocks.
inline gp::UniqueFd connect(gp::streaming::Stream& stream) {
  std::array<int, 2> fds{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
  stream.fd.reset(fds[0]);
  stream.phase = gp::streaming::Stream::Phase::kLive;
  return gp::UniqueFd(fds[1]);
}

}  // namespace streaming_test
