// Frames and the streams that take them, over a socket pair.

#include "core/streaming/frames.h"

#include <array>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/streaming/stream.h"
#include "tests/support/fcgi_peer.h"
#include "tests/unit/streaming/fixtures.h"

using gp::runlog::StoredEvent;
using gp::streaming::Frames;
using gp::streaming::Stream;

namespace {

std::vector<StoredEvent> events(std::int64_t first, std::int64_t last, std::size_t data_bytes) {
  std::vector<StoredEvent> all;
  for (std::int64_t id = first; id <= last; ++id)
    all.push_back({id, "section_started", "\"" + std::string(data_bytes, 'x') + "\""});
  return all;
}

/// A stream whose peer reads when it is told to; the socket takes some tens of KiB.
struct Pair {
  Stream stream;
  gp::UniqueFd peer;
  std::string received;

  Pair() {
    peer = streaming_test::connect(stream);
    const int size = 16'384;
    ::setsockopt(stream.fd.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  void read_some() {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(peer.get(), buffer.data(), buffer.size());
    if (got > 0) received.append(buffer.data(), static_cast<std::size_t>(got));
  }
  std::size_t unread() const {
    int bytes = 0;
    ::ioctl(peer.get(), FIONREAD, &bytes);
    return static_cast<std::size_t>(bytes);
  }
  std::string ids() const {
    std::string ids;
    const std::string text = support::parse_fcgi(received).text;
    for (std::size_t at = text.find("id: "); at != std::string::npos; at = text.find("id: ", at + 1))
      ids += text.substr(at + 4, text.find('\n', at) - at - 4) + " ";
    return ids;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(frames)

BOOST_AUTO_TEST_CASE(a_cursor_gets_what_is_beyond_it_and_nothing_where_events_are_missing_in_between) {
  const Frames some(events(5, 7, 10));
  const std::size_t one = some.after(6).size();
  BOOST_TEST(some.after(4).size() == 3 * one);
  BOOST_TEST(some.after(5).size() == 2 * one);
  BOOST_TEST(some.after(7).empty());
  BOOST_TEST(some.after(99).empty());
  BOOST_TEST(some.after(3).empty());
  BOOST_TEST(Frames({}).after(0).empty());
}

BOOST_AUTO_TEST_CASE(a_cut_ends_with_a_whole_event_and_holds_what_is_begun) {
  const Frames some(events(1, 4, 10));
  const std::size_t one = some.after(3).size();
  for (std::size_t least = 0; least <= 4 * one; ++least) {
    const auto cut = some.cut(0, least, 2 * one + 1);
    BOOST_TEST(cut.bytes % one == 0u);
    BOOST_TEST(cut.bytes >= least);
    BOOST_TEST(static_cast<std::size_t>(cut.last_id) * one == cut.bytes);
    BOOST_TEST(cut.bytes == std::max(2 * one, (least + one - 1) / one * one));
  }
}

BOOST_AUTO_TEST_CASE(a_stream_keeps_no_more_than_its_buffer_and_one_event_that_is_begun) {
  constexpr std::size_t kBuffer = 8192;
  constexpr std::size_t kEvent = 1500;
  Pair pair;
  std::string expected;
  while (pair.stream.cursor < 400) {
    const std::int64_t before = pair.stream.cursor;
    const Frames more(events(before + 1, before + 50, kEvent));
    const std::int64_t taken = pair.stream.take(more, kBuffer);
    BOOST_TEST(taken == pair.stream.cursor - before);
    BOOST_TEST(pair.stream.pending.size() <= kBuffer + kEvent + 100);
    BOOST_TEST(pair.stream.is_lagging == (taken < 50));
    for (std::int64_t id = before + 1; id <= pair.stream.cursor; ++id) expected += std::to_string(id) + " ";
    while (pair.stream.is_behind()) {
      pair.read_some();
      BOOST_REQUIRE(pair.stream.flush());
    }
    pair.stream.is_lagging = false;
  }
  for (int i = 0; i < 100; ++i) pair.read_some();
  BOOST_TEST(pair.ids() == expected);
}

BOOST_AUTO_TEST_CASE(an_event_larger_than_the_buffer_is_taken_where_nothing_waits) {
  Pair pair;
  const Frames large(events(1, 2, 200'000));
  BOOST_TEST(pair.stream.take(large, 4096) == 1);
  BOOST_TEST(pair.stream.is_lagging);
  BOOST_TEST(pair.stream.take(large, 4096) == 0);
  while (pair.stream.is_behind()) {
    pair.read_some();
    BOOST_REQUIRE(pair.stream.flush());
  }
  pair.stream.is_lagging = false;
  BOOST_TEST(pair.stream.take(large, 4096) == 1);
}

BOOST_AUTO_TEST_CASE(a_stream_that_lags_has_something_to_send_before_it_goes_on) {
  // The first event ends just where the socket is full, and the second one is larger than the buffer.
  Pair measured;
  measured.stream.take(Frames(events(1, 1, 500'000)), 0);
  const std::size_t room = measured.unread();
  std::size_t data_bytes = room;
  while (Frames(events(1, 1, data_bytes)).after(0).size() > room) --data_bytes;
  std::vector<StoredEvent> two = events(1, 1, data_bytes);
  two.push_back(events(2, 2, 500'000).front());
  const Frames frames(two);
  Pair pair;
  pair.stream.take(frames, 4096);
  BOOST_REQUIRE(pair.unread() == room);
  BOOST_REQUIRE(frames.after(0).size() - frames.after(1).size() == room);
  BOOST_TEST((!pair.stream.is_lagging || pair.stream.is_behind()));
  BOOST_TEST(pair.stream.cursor == 2);
}

BOOST_AUTO_TEST_CASE(a_peer_that_has_gone_makes_the_stream_dead) {
  Pair pair;
  pair.peer.reset();
  BOOST_TEST(pair.stream.take(Frames(events(1, 1, 10)), 4096) == 0);
  BOOST_TEST((pair.stream.phase == Stream::Phase::kDead));
}

BOOST_AUTO_TEST_SUITE_END()
