// Answers for very many streams: in parts, no faster than the workers read, and nobody is left out.

#include "core/streaming/waves.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include "core/process/descriptors.h"
#include "core/streaming/hub.h"
#include "tests/support/wait.h"
#include "tests/unit/streaming/fixtures.h"

using gp::RunId;
using gp::streaming::Delivery;
using gp::streaming::Hub;
using gp::streaming::Peer;
using gp::streaming::Peers;
using gp::streaming::Stream;
using gp::streaming::StreamTable;
using gp::streaming::TailAnswer;
using gp::streaming::Waves;
using Standing = gp::runlog::RunTail::Standing;

namespace {

const RunId kRun(gp::make_uuid());
const RunId kOtherRun(gp::make_uuid());
constexpr pid_t kWorker = 101;
constexpr pid_t kOtherWorker = 102;

/// What a live read of `run` after `after` gave, up to and including `last`.
TailAnswer read_of(const RunId& run, std::int64_t after, std::int64_t last) {
  TailAnswer answer = streaming_test::log_answer(run, after, last);
  answer.is_live = true;
  return answer;
}

/// One byte for an event.
void give(Stream& stream) {
  stream.send("x");
  ++stream.cursor;
}

/// Streams whose workers read when they are told to.
struct Audience {
  StreamTable streams;
  Peers peers;
  Hub hub;
  std::vector<gp::UniqueFd> ends;   ///< nginx's, by the stream's descriptor
  std::vector<int> offered;         ///< descriptors, in order
  std::vector<std::int64_t> ended;  ///< each wave's last event
  Waves waves{streams, peers,
              [this](Stream& stream, const TailAnswer&, Delivery&) {
                give(stream);
                offered.push_back(stream.fd.get());
              },
              [this](const TailAnswer& answer, const Delivery&) { ended.push_back(answer.end()); }};

  Audience() { gp::process::raise_descriptor_limit(); }

  Stream& come(pid_t worker = kWorker, const RunId& run = kRun) {
    auto stream = std::make_unique<Stream>();
    gp::UniqueFd end = streaming_test::connect(*stream);
    stream->peer = peers.join(worker);
    hub.join(run, *stream);
    const auto place = static_cast<std::size_t>(stream->fd.get());
    if (ends.size() <= place) ends.resize(place + 1);
    ends[place] = std::move(end);
    return streams.add(std::move(stream));
  }

  void go(Stream& stream) {
    hub.leave(stream);
    peers.leave(stream.peer);
    streams.remove(stream.fd.get());
  }

  /// The worker reads what was sent to this stream.
  void read(int fd) const {
    std::array<char, 4096> bytes{};
    while (::read(ends[static_cast<std::size_t>(fd)].get(), bytes.data(), bytes.size()) > 0) continue;
  }
  void read_all() const {
    for (const Stream* stream : streams.all()) read(stream->fd.get());
  }

  void begin(TailAnswer answer) {
    const auto to = hub.find(answer.asked.run_id)->concerned_by(answer);
    waves.begin(std::move(answer), to);
  }

  /// The workers read all that comes, until nothing is on its way.
  void finish() {
    for (int rounds = 0; !waves.empty(); ++rounds) {
      BOOST_REQUIRE(rounds < 1000);
      waves.advance();
      read_all();
    }
  }

  std::size_t count_offered(const Stream& stream) const {
    return static_cast<std::size_t>(std::ranges::count(offered, stream.fd.get()));
  }
};

/// One that was given as much as it may have, and the streams that it is watched by.
struct BusyPeer : Audience {
  Stream& filler = come();
  Peer& peer = peers.at(filler.peer);
  std::vector<int> marks;

  BusyPeer() {
    while (!peer.has_enough(streams)) {
      peer.give(filler, 1, [&] { give(filler); });
      if (++given % Peer::kStride == Peer::kStride - 1) mark();
      BOOST_REQUIRE(given <= Peer::kMostUnread);
    }
  }
  void mark() {
    Stream& stream = come();
    marks.push_back(stream.fd.get());
    peer.give(stream, 1, [&] { give(stream); });
    ++given;
  }
  std::size_t given = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(waves)

BOOST_AUTO_TEST_CASE(a_peer_has_enough_until_it_has_read) {
  BusyPeer full;
  BOOST_TEST(full.given == Peer::kMostUnread);
  full.read(full.marks.front());
  BOOST_TEST(!full.peer.has_enough(full.streams));
  for (std::size_t i = 1; i < Peer::kStride; ++i) full.peer.give(full.filler, 1, [&] { give(full.filler); });
  BOOST_TEST(!full.peer.has_enough(full.streams));
  full.mark();
  BOOST_TEST(full.peer.has_enough(full.streams));  // as many are unread again
}

BOOST_AUTO_TEST_CASE(what_takes_a_worker_several_reads_counts_for_as_many) {
  Audience audience;
  constexpr std::size_t kReads = 8;
  constexpr std::size_t kGiven = Peer::kMostUnread / kReads;
  for (std::size_t i = 0; i < 2 * kGiven; ++i) audience.come();
  Peer& peer = audience.peers.at(0);
  for (std::size_t i = 0; i < 2 * kGiven && !peer.has_enough(audience.streams); ++i) {
    Stream& stream = *audience.streams.all()[i];
    peer.give(stream, (kReads - 1) * Peer::kOneRead, [&] {
      give(stream);
      audience.offered.push_back(stream.fd.get());
    });
  }
  BOOST_TEST(audience.offered.size() == kGiven);
}

BOOST_AUTO_TEST_CASE(who_reads_nothing_and_who_has_gone_hold_up_nobody) {
  BusyPeer stalled;
  stalled.read(stalled.marks[1]);  // read in order: the first one's client reads nothing
  BOOST_TEST(!stalled.peer.has_enough(stalled.streams));

  BusyPeer gone;
  gone.go(*gone.streams.find(gone.marks.front()));
  BOOST_TEST(!gone.peer.has_enough(gone.streams));

  BusyPeer all_stalled;
  const auto is_free = [&] { return !all_stalled.peer.has_enough(all_stalled.streams); };
  BOOST_TEST(support::wait_until(is_free, std::chrono::seconds(10)));
}

BOOST_AUTO_TEST_CASE(who_is_given_nothing_says_nothing_of_the_worker) {
  BusyPeer full;
  full.read(full.marks.front());
  for (std::size_t i = 1; i < Peer::kStride; ++i) full.peer.give(full.filler, 1, [&] { give(full.filler); });
  full.peer.give(full.come(), 1, [] {});  // it has that event already: its socket is empty for another reason
  full.mark();
  BOOST_TEST(full.peer.has_enough(full.streams));
}

BOOST_AUTO_TEST_CASE(a_process_is_one_peer_and_leaves_its_number_to_another_one) {
  Peers peers;
  const auto first = peers.join(kWorker);
  BOOST_TEST(peers.join(kWorker) == first);
  const auto other = peers.join(kOtherWorker);
  BOOST_TEST(other != first);
  peers.leave(first);
  BOOST_TEST(peers.join(103) != first);  // one connection is left
  peers.leave(first);
  BOOST_TEST(peers.join(104) == first);
  BOOST_TEST(peers.size() == 3u);
  Stream stream;
  const gp::UniqueFd end = streaming_test::connect(stream);
  BOOST_TEST(gp::streaming::pid_of_peer(stream.fd.get()) == ::getpid());
}

BOOST_AUTO_TEST_CASE(a_peer_is_given_more_as_it_reads_and_everybody_is_offered_it_once) {
  Audience audience;
  constexpr std::size_t first = Peer::kStride;  // the worker may be busy with something else
  constexpr std::size_t many = 16 * first + 2 * Peer::kMostUnread;
  for (std::size_t i = 0; i < many; ++i) audience.come();
  audience.begin(read_of(kRun, 0, 1));
  BOOST_TEST(audience.offered.empty());
  std::vector<std::size_t> parts;
  while (!audience.waves.empty()) {
    const std::size_t before = audience.offered.size();
    BOOST_TEST(audience.waves.advance().empty());
    parts.push_back(audience.offered.size() - before);
    audience.waves.advance();
    BOOST_REQUIRE(audience.offered.size() == before + parts.back());  // nothing has been read
    audience.read_all();
  }
  BOOST_TEST((parts == std::vector<std::size_t>{first, 2 * first, 4 * first, 8 * first, Peer::kMostUnread,
                                                Peer::kMostUnread, first}));
  for (const Stream* stream : audience.streams.all()) BOOST_REQUIRE(audience.count_offered(*stream) == 1u);
  BOOST_TEST((audience.ended == std::vector<std::int64_t>{1}));
}

/// In three parts, of which the last is more than a few.
constexpr std::size_t kSome = 6 * Peer::kStride;

BOOST_AUTO_TEST_CASE(one_worker_has_nothing_before_it) {
  Audience audience;
  std::vector<std::vector<const Stream*>> by_worker;
  for (const pid_t worker : {kWorker, kOtherWorker, 103}) {
    auto& streams = by_worker.emplace_back();
    for (std::size_t i = 0; i < kSome; ++i) streams.push_back(&audience.come(worker));
  }
  const auto offered = [&](std::size_t worker) {
    return std::ranges::count_if(by_worker[worker],
                                 [&](const Stream* stream) { return audience.count_offered(*stream) > 0; });
  };
  const auto read = [&](std::size_t worker) {
    for (const Stream* stream : by_worker[worker]) audience.read(stream->fd.get());
  };
  audience.begin(read_of(kRun, 0, 1));
  for (int i = 0; i < 3; ++i) {
    audience.waves.advance();
    if (i < 2) read(0);
  }
  BOOST_TEST(offered(0) == static_cast<std::ptrdiff_t>(kSome));
  BOOST_TEST(offered(1) == static_cast<std::ptrdiff_t>(Peer::kStride));
  BOOST_TEST(offered(2) == 0);
  read(0);
  audience.waves.advance();
  BOOST_TEST(offered(2) == static_cast<std::ptrdiff_t>(Peer::kStride));  // and the first one is free
  audience.finish();
  BOOST_TEST(audience.offered.size() == 3 * kSome);
}

BOOST_AUTO_TEST_CASE(the_oldest_part_goes_first_whatever_peer_it_is_for) {
  Audience audience;
  for (std::size_t i = 0; i < kSome; ++i) audience.come(kWorker);
  for (std::size_t i = 0; i < kSome; ++i) audience.come(kOtherWorker);
  for (std::size_t i = 0; i < kSome; ++i) audience.come(kWorker, kOtherRun);
  audience.begin(read_of(kRun, 0, 1));
  audience.begin(read_of(kOtherRun, 0, 7));
  std::vector<int> expected;
  for (const Stream* stream : audience.streams.all()) expected.push_back(stream->fd.get());
  std::ranges::sort(expected);  // in the order in which they came
  audience.finish();
  BOOST_TEST((audience.offered == expected));
  BOOST_TEST((audience.ended == std::vector<std::int64_t>{1, 7}));
}

BOOST_AUTO_TEST_CASE(a_worker_that_reads_nothing_does_not_keep_its_turn) {
  Audience audience;
  for (std::size_t i = 0; i < kSome; ++i) audience.come(kWorker);
  const Stream& other = audience.come(kOtherWorker);
  audience.begin(read_of(kRun, 0, 1));
  const auto is_offered = [&] {
    audience.waves.advance();
    return audience.count_offered(other) == 1;
  };
  BOOST_TEST(!is_offered());
  BOOST_TEST(support::wait_until(is_offered, std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(what_comes_meanwhile_waits_behind_and_is_one_answer) {
  Audience audience;
  audience.come();
  audience.begin(read_of(kRun, 0, 1));
  TailAnswer second = read_of(kRun, 1, 2);
  TailAnswer third = read_of(kRun, 2, 4);
  TailAnswer of_other = read_of(kOtherRun, 0, 1);
  BOOST_TEST(audience.waves.put_behind(second));
  BOOST_TEST(audience.waves.put_behind(third));
  BOOST_TEST(!audience.waves.put_behind(of_other));
  BOOST_TEST(of_other.tail.events.size() == 1u);
  const auto behind = audience.waves.advance();
  BOOST_REQUIRE(behind.size() == 1u);
  BOOST_TEST(behind[0].asked.after == 1);
  BOOST_TEST(behind[0].end() == 4);
  BOOST_TEST(behind[0].tail.last_id == 4);
  BOOST_TEST(behind[0].tail.events.size() == 3u);
  TailAnswer later = read_of(kRun, 4, 5);
  BOOST_TEST(!audience.waves.put_behind(later));  // its wave is over
}

BOOST_AUTO_TEST_CASE(an_older_wave_goes_first_to_its_peer_alone) {
  Audience audience;
  for (std::size_t i = 0; i < Peer::kMostUnread + 1; ++i) audience.come(kWorker);
  const Stream& behind = audience.come(kWorker, kOtherRun);
  const Stream& beside = audience.come(kOtherWorker, kOtherRun);
  audience.come(103);  // so that two may have their turn at once
  audience.begin(read_of(kRun, 0, 1));
  audience.begin(read_of(kOtherRun, 0, 7));
  audience.waves.advance();
  BOOST_TEST(audience.count_offered(behind) == 0u);
  BOOST_TEST(audience.count_offered(beside) == 1u);
  audience.finish();
  BOOST_TEST(audience.offered.back() == behind.fd.get());
  BOOST_TEST((audience.ended == std::vector<std::int64_t>{1, 7}));
}

BOOST_AUTO_TEST_CASE(who_goes_meanwhile_is_left_out_and_so_is_who_comes_in_his_place) {
  Audience audience;
  const Stream& stays = audience.come();
  Stream& goes = audience.come();
  audience.begin(read_of(kRun, 0, 1));
  const int fd = goes.fd.get();
  audience.go(goes);
  Stream& comes = audience.come(kOtherWorker, kOtherRun);  // a peer that the wave does not know
  BOOST_REQUIRE(comes.fd.get() == fd);
  audience.waves.advance();
  BOOST_TEST((audience.offered == std::vector<int>{stays.fd.get()}));
  BOOST_TEST(audience.ended.size() == 1u);
}

BOOST_AUTO_TEST_CASE(only_reads_that_go_on_from_each_other_are_joined) {
  const TailAnswer first = read_of(kRun, 0, 2);
  const auto joins = [](TailAnswer answer, TailAnswer next) {
    const std::size_t before = next.tail.events.size();
    const bool is_joined = answer.join(next);
    if (!is_joined) BOOST_TEST(next.tail.events.size() == before);
    return is_joined;
  };
  TailAnswer last = read_of(kRun, 2, 3);
  last.tail.standing = Standing::kEnded;
  last.is_full = true;
  last.read = 7;
  TailAnswer whole = first;
  BOOST_TEST(whole.join(last));
  BOOST_TEST((whole.tail.standing == Standing::kEnded));
  BOOST_TEST(whole.is_full);
  BOOST_TEST(whole.read == 7u);

  BOOST_TEST(!joins(first, read_of(kRun, 1, 3)));
  BOOST_TEST(!joins(first, read_of(kRun, 3, 4)));
  TailAnswer replayed = first;
  replayed.source = TailAnswer::Source::kReplay;
  BOOST_TEST(!joins(replayed, read_of(kRun, 2, 3)));  // the log may have more than the cache
  TailAnswer caught_up = first;
  caught_up.is_live = false;
  BOOST_TEST(!joins(caught_up, read_of(kRun, 2, 3)));  // counted elsewhere
  TailAnswer beyond = read_of(kRun, 999, 0);
  beyond.tail.last_id = 2;
  BOOST_TEST(!joins(beyond, read_of(kRun, 2, 3)));  // only who is beyond the end is offered the first
  for (const Standing standing : {Standing::kEnded, Standing::kPruned, Standing::kUnknown}) {
    TailAnswer closed = first;
    closed.tail.standing = standing;
    BOOST_TEST(!joins(closed, read_of(kRun, 2, 3)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
