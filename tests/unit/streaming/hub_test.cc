// Which of a run's streams an answer concerns.

#include "core/streaming/hub.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/unit/streaming/fixtures.h"

using gp::RunId;
using gp::streaming::Channel;
using gp::streaming::Hub;
using gp::streaming::Question;
using gp::streaming::Stream;
using gp::streaming::TailAnswer;
using Standing = gp::runlog::RunTail::Standing;

namespace {

const RunId kRun("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");

TailAnswer answer(std::int64_t after, std::int64_t last) {
  return streaming_test::log_answer(kRun, after, last);
}

/// Some streams of one run, and what the server does with them.
struct Followers {
  Hub hub;
  std::vector<std::unique_ptr<Stream>> streams;

  Stream& come(std::int64_t cursor = 0) {
    streams.push_back(std::make_unique<Stream>());
    streams.back()->cursor = cursor;
    hub.join(kRun, *streams.back());
    return *streams.back();
  }
  Channel& channel() { return *hub.find(kRun); }

  bool concerns(const Stream& stream, const TailAnswer& answer) {
    return std::ranges::count(channel().concerned_by(answer), &stream) == 1;
  }
  std::size_t concerned(const TailAnswer& answer) { return channel().concerned_by(answer).size(); }

  /// Every stream whom it concerns is open then and has its events, but for those that `lag`.
  std::size_t offer(const TailAnswer& answer, const std::vector<const Stream*>& lag = {}) {
    const auto concerned = channel().concerned_by(answer);
    for (Stream* stream : concerned) {
      if (stream->cursor < answer.asked.after) continue;
      if (!stream->is_poll()) stream->phase = Stream::Phase::kLive;
      stream->is_cursor_confirmed = stream->cursor <= answer.tail.last_id;
      if (stream->is_poll()) stream->question->has_been_asked = answer.is_authoritative();
      stream->is_lagging = std::ranges::count(lag, stream) != 0;
      if (!stream->is_lagging && !stream->is_poll()) stream->cursor = std::max(stream->cursor, answer.end());
    }
    const std::size_t count = concerned.size();
    channel().settle(answer);
    return count;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(hub)

BOOST_AUTO_TEST_CASE(whoever_comes_to_a_run_concerns_nobody_who_has_all_of_it) {
  Followers followers;
  std::size_t looks = 0;
  for (int i = 0; i < 1000; ++i) {
    followers.come();
    looks += followers.offer(answer(0, 3));
  }
  BOOST_TEST(looks == 1000u);
  BOOST_TEST(followers.concerned(answer(0, 3)) == 0u);
  BOOST_TEST(followers.concerned(answer(3, 3)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_new_event_and_an_end_concern_everybody) {
  Followers followers;
  for (int i = 0; i < 5; ++i) followers.come();
  followers.offer(answer(0, 3));
  BOOST_TEST(followers.concerned(answer(3, 4)) == 5u);
  for (const Standing standing : {Standing::kEnded, Standing::kPruned, Standing::kUnknown}) {
    TailAnswer end = answer(3, 3);
    end.tail.standing = standing;
    BOOST_TEST(followers.concerned(end) == 5u);
  }
}

BOOST_AUTO_TEST_CASE(a_cursor_without_an_event_behind_it_is_no_news) {
  Followers followers;
  followers.come();
  followers.offer(answer(0, 3));
  followers.come(999);
  BOOST_TEST(followers.offer(answer(999, 999)) == 1u);
  BOOST_TEST(followers.channel().newest == 3);
}

BOOST_AUTO_TEST_CASE(a_stream_that_has_not_everything_waits_until_it_has) {
  Followers followers;
  Stream& lagging = followers.come();
  Stream& ahead = followers.come();
  followers.offer(answer(0, 3), {&lagging});
  BOOST_TEST(followers.concerns(lagging, answer(0, 3)));
  BOOST_TEST(!followers.concerns(ahead, answer(0, 3)));
  followers.offer(answer(3, 4));  // beyond what the lagging one can be given
  BOOST_TEST(followers.concerns(lagging, answer(0, 4)));
  followers.offer(answer(0, 4));
  BOOST_TEST(lagging.cursor == 4);
  BOOST_TEST(followers.concerned(answer(0, 4)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_poll_waits_for_news_once_the_whole_log_had_none_for_it) {
  Followers followers;
  Stream& poll = followers.come(3);
  poll.question = std::make_unique<Question>();
  poll.question->is_poll = true;
  TailAnswer kept = answer(3, 3);
  kept.source = TailAnswer::Source::kReplay;
  followers.offer(kept);
  BOOST_TEST(followers.concerns(poll, answer(3, 3)));
  followers.offer(answer(3, 3));
  BOOST_TEST(!followers.concerns(poll, answer(3, 3)));
  BOOST_TEST(followers.concerns(poll, answer(3, 4)));
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_open_on_its_clients_word_waits_until_the_log_has_looked) {
  Followers followers;
  Stream& beyond = followers.come(999);
  Stream& within = followers.come(3);
  TailAnswer kept = answer(3, 3);
  kept.source = TailAnswer::Source::kReplay;
  followers.offer(kept);
  BOOST_TEST(followers.concerns(beyond, answer(3, 3)));
  BOOST_TEST(!followers.concerns(within, answer(3, 3)));
}

BOOST_AUTO_TEST_CASE(a_poll_waits_on_where_an_answer_begins_beyond_it) {
  Followers followers;
  Stream& poll = followers.come(7);
  poll.question = std::make_unique<Question>();
  poll.question->is_poll = true;
  followers.offer(answer(9, 5));  // of another, whose cursor is further beyond the end
  BOOST_TEST(followers.concerns(poll, answer(7, 5)));
}

BOOST_AUTO_TEST_CASE(whoever_leaves_takes_nobody_elses_place) {
  Followers followers;
  for (int i = 0; i < 6; ++i) followers.come();
  followers.offer(answer(0, 1));
  for (int i = 0; i < 6; ++i) followers.come();  // the second half waits, listed first
  for (const std::size_t leaver : {2u, 8u, 11u, 0u, 6u, 5u}) {
    BOOST_TEST(!followers.hub.leave(*followers.streams[leaver]));
    BOOST_TEST(followers.streams[leaver]->channel == nullptr);
  }
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < followers.streams.size(); ++i) {
    const Stream& stream = *followers.streams[i];
    if (stream.channel == nullptr) continue;
    BOOST_TEST(followers.channel().streams.at(stream.place) == &stream);
    if (followers.concerns(stream, answer(1, 1))) waiting.push_back(i);
  }
  BOOST_TEST(waiting == (std::vector<std::size_t>{7, 9, 10}), boost::test_tools::per_element());
  for (const std::size_t leaver : {1u, 3u, 4u, 7u, 9u})
    BOOST_TEST(!followers.hub.leave(*followers.streams[leaver]));
  BOOST_TEST(followers.hub.leave(*followers.streams[10]));
  BOOST_TEST((followers.hub.find(kRun) == nullptr));
}

BOOST_AUTO_TEST_CASE(places_are_right_whoever_leaves_of_those_who_wait_and_those_who_follow) {
  for (int following = 0; following < 4; ++following) {
    for (int waiting = 0; waiting < 4; ++waiting) {
      for (int leaver = 0; leaver < following + waiting; ++leaver) {
        Followers followers;
        for (int i = 0; i < following; ++i) followers.come();
        if (following > 0) followers.offer(answer(0, 1));
        for (int i = 0; i < waiting; ++i) followers.come();
        followers.hub.leave(*followers.streams[static_cast<std::size_t>(leaver)]);
        for (const auto& stream : followers.streams) {
          if (stream->channel == nullptr) continue;
          BOOST_TEST(stream->channel->streams.at(stream->place) == stream.get());
          BOOST_TEST((stream->place < stream->channel->waiting) == (stream->cursor == 0));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
