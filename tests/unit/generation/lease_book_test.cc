// The book and the watch that goes by it.

#include "core/generation/lease_book.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "core/generation/lease_watch.h"

using gp::generation::LeaseBook;
using gp::generation::LeaseWatch;
using std::chrono::milliseconds;

namespace {

const gp::runlog::Lease kLease{gp::RunId("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"),
                               gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666")};
const gp::LeaseToken kNewerToken("0a7a3f0e-1111-4222-8333-444455557777");

/// The thread that renews: makes a beat whenever one is wanted.
class Renewer {
 public:
  explicit Renewer(LeaseBook& book, bool is_lost)
      : thread_([this, &book, is_lost](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            if (!book.is_beat_wanted()) {
              std::this_thread::yield();
              continue;
            }
            LeaseBook::Beat beat(book);
            ++beats;
            if (is_lost) book.mark_lost(kLease.run_id, kLease.token);
            beat.succeed();
          }
        }) {}

  std::atomic<int> beats = 0;

 private:
  std::jthread thread_;
};

const auto kNoRing = [] {};

}  // namespace

BOOST_AUTO_TEST_SUITE(lease_book)

BOOST_AUTO_TEST_CASE(only_the_lease_that_is_named_by_its_token_is_lost) {
  LeaseBook book;
  const auto flag = book.add(kLease);
  BOOST_TEST(!book.mark_lost(kLease.run_id, kNewerToken));
  BOOST_TEST(!flag->is_lost);
  BOOST_TEST(book.mark_lost(kLease.run_id, kLease.token));
  BOOST_TEST(flag->is_lost);
  BOOST_TEST(book.held().empty());
}

BOOST_AUTO_TEST_CASE(the_end_under_a_former_lease_leaves_the_one_taken_anew_in_the_book) {
  LeaseBook book;
  book.add(kLease);
  const auto newer = book.add({kLease.run_id, kNewerToken});
  book.remove(kLease.run_id, kLease.token);
  BOOST_REQUIRE(book.held().size() == 1u);
  BOOST_TEST(book.held().front().token.str() == kNewerToken.str());
  BOOST_TEST(!newer->is_lost);
  book.remove(kLease.run_id, kNewerToken);
  BOOST_TEST(book.held().empty());
}

BOOST_AUTO_TEST_CASE(a_lease_that_another_one_of_its_run_replaces_is_lost) {
  LeaseBook book;
  const auto former = book.add(kLease);
  const auto newer = book.add({kLease.run_id, kNewerToken});
  BOOST_TEST(former->is_lost);
  BOOST_TEST(!newer->is_lost);
}

BOOST_AUTO_TEST_CASE(who_has_not_slept_asks_for_no_beat) {
  LeaseBook book;
  LeaseWatch watch(book, book.add(kLease), milliseconds(60000), kNoRing);
  BOOST_TEST(!watch.is_lost());
  BOOST_TEST(!book.is_beat_wanted());
}

BOOST_AUTO_TEST_CASE(who_has_slept_learns_of_the_loss_before_it_goes_on) {
  LeaseBook book;
  LeaseWatch watch(book, book.add(kLease), milliseconds(5), kNoRing);
  Renewer renewer(book, true);
  std::this_thread::sleep_for(milliseconds(20));  // what is tested is the passing of time
  BOOST_TEST(watch.is_lost());
  BOOST_TEST(renewer.beats == 1);
}

BOOST_AUTO_TEST_CASE(who_has_slept_and_kept_the_lease_goes_on_after_one_beat) {
  LeaseBook book;
  LeaseWatch watch(book, book.add(kLease), milliseconds(200), kNoRing);
  Renewer renewer(book, false);
  std::this_thread::sleep_for(milliseconds(250));
  BOOST_TEST(!watch.is_lost());
  BOOST_TEST(!watch.is_lost());
  BOOST_TEST(renewer.beats == 1);
}

BOOST_AUTO_TEST_CASE(neither_a_beat_that_had_begun_before_nor_one_that_fails_is_taken_for_an_answer) {
  LeaseBook book;
  book.add(kLease);
  std::atomic<bool> has_answer = false;
  LeaseBook::Beat old_beat(book);
  std::jthread asking([&] {
    book.confirm(kNoRing, milliseconds(60000));
    has_answer = true;
  });
  while (!book.is_beat_wanted()) std::this_thread::yield();
  old_beat.succeed();
  { const LeaseBook::Beat failing(book); }  // the database is away
  std::this_thread::sleep_for(milliseconds(50));
  BOOST_TEST(!has_answer);
  LeaseBook::Beat(book).succeed();
  asking.join();
  BOOST_TEST(has_answer);
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_a_beat_once_there_are_no_more) {
  LeaseBook book;
  book.add(kLease);
  std::jthread asking([&] { book.confirm(kNoRing, milliseconds(60000)); });
  while (!book.is_beat_wanted()) std::this_thread::yield();
  book.close();
  asking.join();
  book.confirm(kNoRing, milliseconds(60000));
}

BOOST_AUTO_TEST_SUITE_END()
