#include "core/spool/replay_cache.h"

#include <chrono>
#include <csignal>
#include <fstream>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/spool/crc32.h"
#include "core/spool/outbox.h"
#include "core/sqlite/database.h"
#include "tests/unit/spool/spool_fixture.h"

using gp::spool::CachedEvent;
using gp::spool::CachedTail;
using gp::spool::ReplayCache;
using gp::spool::ReplayLimits;
using namespace spool_test;

namespace {

using Ids = std::vector<std::int64_t>;

constexpr std::int64_t kSmallest = 16 * 1024 * 1024;

void append_step(gp::spool::Outbox& outbox, std::int64_t id) {
  outbox.append({run_number(77),
                 gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666"),
                 {id, gp::project::EventType::kSectionStarted, {{"n", id}}},
                 "{}",
                 {}});
}

struct CacheFixture : Fixture {
  /// A file that holds `runs` runs of ten events each and is open nowhere.
  void keep_runs(int runs, std::size_t filling = 0) const {
    ReplayCache cache(path, {});
    for (int run = 0; run < runs; ++run) cache.store(events_of(run, 10, "run_completed", filling));
  }

  /// How many events of `runs` runs the cache gives; none of them may be wrong.
  static std::size_t count_sound(ReplayCache& cache, int runs, std::size_t filling = 0) {
    std::size_t count = 0;
    for (int run = 0; run < runs; ++run) {
      const CachedTail tail = cache.find(run_number(run), 0, 100);
      BOOST_TEST(is_part_of(tail, events_of(run, 10, "run_completed", filling)));
      count += tail.events.size();
    }
    return count;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(replay_cache, CacheFixture)

BOOST_AUTO_TEST_CASE(the_crc_is_the_one_that_everybody_computes) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  BOOST_TEST(gp::spool::crc32("") == 0u);
  BOOST_TEST(gp::spool::crc32("123456789") == 0xCBF43926u);
  BOOST_TEST(gp::spool::crc32(text) == 0x414FA339u);
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    BOOST_TEST(gp::spool::crc32(text.substr(cut), gp::spool::crc32(text.substr(0, cut))) == 0x414FA339u);
}

BOOST_AUTO_TEST_CASE(what_was_stored_comes_back_from_every_cursor) {
  ReplayCache cache(path, {});
  const auto truth = events_of(1, 6);
  cache.store(truth);
  for (std::int64_t after = 0; after <= 8; ++after) {
    const CachedTail tail = cache.find(run_number(1), after, 100);
    BOOST_TEST(std::ssize(tail.events) == std::max<std::int64_t>(6 - after, 0));
    if (!tail.events.empty()) BOOST_TEST(tail.events.front().id == after + 1);
    BOOST_TEST(is_part_of(tail, truth));
    BOOST_TEST(tail.last_id == 6);
    BOOST_TEST(tail.is_complete);
  }
}

BOOST_AUTO_TEST_CASE(a_run_that_was_never_stored_has_nothing_usable) {
  ReplayCache cache(path, {});
  cache.store(events_of(1, 3));
  const CachedTail tail = cache.find(run_number(2), 0, 10);
  BOOST_TEST(tail.events.empty());
  BOOST_TEST(tail.last_id == 0);
  BOOST_TEST(!tail.is_complete);
}

BOOST_AUTO_TEST_CASE(a_limit_cuts_the_events_but_not_what_is_known_of_the_end) {
  ReplayCache cache(path, {});
  cache.store(events_of(1, 10));
  const CachedTail tail = cache.find(run_number(1), 2, 3);
  BOOST_TEST((ids_of(tail) == Ids{3, 4, 5}));
  BOOST_TEST(tail.last_id == 10);
  BOOST_TEST(tail.is_complete);
  BOOST_TEST((ids_of(cache.find(run_number(1), 7, 3)) == Ids{8, 9, 10}));
  BOOST_TEST((ids_of(cache.find(run_number(1), 0, 0)) == Ids{1}));
}

BOOST_AUTO_TEST_CASE(a_gap_ends_the_answer_until_it_is_filled) {
  ReplayCache cache(path, {});
  const auto all = events_of(1, 9);
  const std::span events(all);
  cache.store(events.first(3));
  cache.store(events.last(4));  // 6 ... 9
  for (const int limit : {1, 3, 100}) {
    const CachedTail tail = cache.find(run_number(1), 0, limit);
    BOOST_TEST(std::ssize(tail.events) == std::min(limit, 3));
    BOOST_TEST(tail.last_id == 3);
    BOOST_TEST(!tail.is_complete);  // that there is a run_completed behind the gap is of no use before it
  }
  for (const std::int64_t after : {3, 4}) {
    const CachedTail tail = cache.find(run_number(1), after, 100);
    BOOST_TEST(tail.events.empty());
    BOOST_TEST(tail.last_id == 0);
    BOOST_TEST(!tail.is_complete);
  }
  BOOST_TEST((ids_of(cache.find(run_number(1), 5, 100)) == Ids{6, 7, 8, 9}));
  cache.store(events.subspan(3, 2));
  const CachedTail whole = cache.find(run_number(1), 0, 100);
  BOOST_TEST(whole.events.size() == 9u);
  BOOST_TEST(whole.is_complete);
}

BOOST_AUTO_TEST_CASE(a_run_that_ended_in_error_is_not_complete) {
  ReplayCache cache(path, {});
  cache.store(events_of(1, 4, "error"));
  for (const std::int64_t after : {0, 3, 4, 9}) {
    const CachedTail tail = cache.find(run_number(1), after, 2);
    BOOST_TEST(tail.last_id == 4);
    BOOST_TEST(!tail.is_complete);
  }
}

BOOST_AUTO_TEST_CASE(an_event_that_is_there_stays_as_it_is) {
  ReplayCache cache(path, {});
  const auto truth = events_of(1, 3);
  cache.store(truth);
  auto other = truth;
  for (CachedEvent& event : other) event.committed_at_ms = 0;
  cache.store(other);
  BOOST_TEST(is_part_of(cache.find(run_number(1), 0, 10), truth));
}

BOOST_AUTO_TEST_CASE(texts_of_any_bytes_come_back_as_they_were) {
  ReplayCache cache(path, {});
  const CachedEvent event{run_number(1), 1, "run_started", std::string("é \xF0\x9F\x98\x80 '\"\0 \n", 14), 0};
  cache.store(std::span(&event, 1));
  const CachedTail tail = cache.find(run_number(1), 0, 10);
  BOOST_REQUIRE(tail.events.size() == 1u);
  BOOST_TEST(tail.events[0].data == event.data);
}

BOOST_AUTO_TEST_CASE(what_one_process_stored_another_finds) {
  ReplayCache cache(path, {});
  BOOST_TEST(in_child([this] { ReplayCache(path, {}).store(events_of(1, 3)); }) == 0);
  BOOST_TEST(cache.find(run_number(1), 0, 10).events.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_row_whose_content_changed_ends_the_answer_and_its_run_goes) {
  for (const char* change :
       {"data = '{}'", "data = data || ' '", "type = 'run_completed'", "committed_at = 7", "crc = crc + 1",
        "type = type || substr(data, 1, 1), data = substr(data, 2)"}) {
    ReplayCache cache(path, {});
    cache.store(events_of(1, 6));
    cache.store(events_of(2, 6));
    gp::sqlite::Database(path).run_script(fmt::format(
        "UPDATE events SET {} WHERE event_id = 4 AND run_id = '{}'", change, run_number(1).str()));
    const Reports reports;
    const CachedTail tail = cache.find(run_number(1), 0, 100);
    BOOST_TEST((ids_of(tail) == Ids{1, 2, 3}));
    BOOST_TEST(is_part_of(tail, events_of(1, 6)));
    BOOST_TEST(tail.last_id == 3);
    BOOST_TEST(!tail.is_complete);
    BOOST_TEST(reports.count("spool_run_dropped") == 1u);
    BOOST_TEST(cache.find(run_number(1), 0, 100).last_id == 0);
    BOOST_TEST(cache.find(run_number(2), 0, 100).last_id == 6);
    cache.store(events_of(1, 6));
    BOOST_TEST(cache.find(run_number(1), 0, 100).is_complete);
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_last_row_does_not_make_a_run_complete) {
  for (const std::int64_t after : {0, 4, 5, 9}) {
    ReplayCache cache(path, {});
    cache.store(events_of(1, 5, "error"));
    gp::sqlite::Database(path).run_script("UPDATE events SET type = 'run_completed' WHERE event_id = 5");
    BOOST_TEST(!cache.find(run_number(1), after, 2).is_complete);
    BOOST_TEST(cache.find(run_number(1), 0, 2).last_id == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_byte_that_changed_on_the_disk_is_noticed) {
  keep_runs(3);
  const std::int64_t place = offset_of(path, R"({"run":1,"id":7)");
  overwrite(path, place + 6, "2");
  ReplayCache cache(path, {});  // the structure is whole: nothing but the CRC can tell
  BOOST_TEST(files_set_aside(path) == 0u);
  BOOST_TEST(cache.find(run_number(1), 0, 100).events.size() == 6u);
  BOOST_TEST(count_sound(cache, 3) == 20u);
}

BOOST_AUTO_TEST_CASE(pages_overwritten_before_opening_cost_the_file) {
  keep_runs(200, 500);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  overwrite(path, size / 2 / 4096 * 4096, std::string(8 * 4096, '\x5a'));
  ReplayCache cache(path, {});
  BOOST_TEST(count_sound(cache, 200, 500) == 0u);
  BOOST_TEST(files_set_aside(path) == 1u);
  cache.store(events_of(1, 10));
  BOOST_TEST(cache.find(run_number(1), 0, 100).is_complete);
}

BOOST_AUTO_TEST_CASE(pages_overwritten_under_an_open_cache_never_yield_wrong_events) {
  for (const char byte : {'\0', '\x5a', '\x0d'}) {  // 0x0d: looks like a leaf page
    keep_runs(500, 2000);
    ReplayCache cache(path, {});
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
    for (int part = 1; part < 8; ++part)
      overwrite(path, size * part / 8 / 4096 * 4096, std::string(4 * 4096, byte));
    BOOST_TEST(count_sound(cache, 500, 2000) < 5000u);
    cache.store(events_of(1000, 10));
    BOOST_TEST(cache.find(run_number(1000), 0, 100).is_complete);
    std::filesystem::remove_all(std::filesystem::path(path).parent_path());
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_log_yields_what_was_before_the_damage) {
  const int code = in_child([this] {
    ReplayCache cache(path, {});
    for (int run = 0; run < 40; ++run) cache.store(events_of(run, 10));
    ::kill(::getpid(), SIGKILL);  // nobody closes it: all of it is in the log
  });
  BOOST_TEST(code == -SIGKILL);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path + "-wal"));
  overwrite(path + "-wal", size / 2, "damage");
  ReplayCache cache(path, {});
  const std::size_t count = count_sound(cache, 40);
  BOOST_TEST(count > 0u);
  BOOST_TEST(count < 400u);
  BOOST_TEST(count % 10 == 0u);
  cache.store(events_of(39, 10));
  BOOST_TEST(cache.find(run_number(39), 0, 100).is_complete);
}

BOOST_AUTO_TEST_CASE(a_store_that_is_killed_leaves_all_of_its_events_or_none) {
  ReplayCache cache(path, {});
  for (int round = 1; round <= 5; ++round) {
    const int child = start_child([&] {
      ReplayCache writer(path, {});
      for (int run = round * 1000;; ++run) writer.store(events_of(run, 10, "run_completed", 3000));
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (cache.find(run_number(round * 1000 + 3 * round), 0, 1).last_id == 0 &&
           std::chrono::steady_clock::now() < deadline) {
    }
    ::kill(child, SIGKILL);
    BOOST_TEST(wait_for_child(child) == -SIGKILL);
    int run = round * 1000;
    while (cache.find(run_number(run), 0, 100).events.size() == 10u) ++run;
    BOOST_TEST(run > round * 1000 + 3 * round);
    BOOST_TEST(cache.find(run_number(run), 0, 100).last_id == 0);
  }
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(at_the_quota_the_oldest_events_make_room) {
  const Reports reports;
  ReplayCache cache(path, {.max_bytes = kSmallest});
  constexpr int kRuns = 400;  // 10 x 4 KiB each: 16 MiB, more than the cache's 12
  for (int run = 0; run < kRuns; ++run) {
    cache.store(events_of(run, 10, "run_completed", 4000));
    BOOST_TEST(cache.find(run_number(run), 0, 100).events.size() == 10u);
  }
  BOOST_TEST(cache.find(run_number(0), 0, 100).last_id == 0);
  BOOST_TEST(cache.find(run_number(kRuns - 100), 0, 100).is_complete);
  BOOST_TEST(std::filesystem::file_size(path) <= kSmallest / 4 * 3);
  BOOST_TEST(reports.count("spool_") == 0u);
}

BOOST_AUTO_TEST_CASE(events_that_never_fit_are_reported_once_until_it_works_again) {
  const Reports reports;
  ReplayCache cache(path, {.max_bytes = kSmallest});
  const CachedEvent huge{run_number(1), 1, "plan_completed",
                         std::string(static_cast<std::size_t>(kSmallest), 'x'), 0};
  for (int i = 0; i < 3; ++i) cache.store(std::span(&huge, 1));
  BOOST_TEST(reports.count("spool_failed") == 1u);
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  cache.store(events_of(2, 3));
  BOOST_TEST(reports.count("spool_back") == 1u);
  BOOST_TEST(cache.find(run_number(2), 0, 10).is_complete);
}

BOOST_AUTO_TEST_CASE(events_older_than_the_limit_go_some_thousand_at_a_time) {
  ReplayCache cache(path, {.max_age = std::chrono::seconds(60)});
  for (int run = 0; run < 50; ++run) cache.store(events_of(run, 100));
  const auto now = gp::wall_now();
  cache.trim(now);
  BOOST_TEST(cache.find(run_number(0), 0, 1000).events.size() == 100u);
  cache.trim(now + std::chrono::seconds(62));
  BOOST_TEST(cache.find(run_number(0), 0, 1000).last_id == 0);
  BOOST_TEST(cache.find(run_number(49), 0, 1000).events.size() == 100u);
  cache.trim(now + std::chrono::seconds(62));
  BOOST_TEST(cache.find(run_number(49), 0, 1000).last_id == 0);
}

BOOST_AUTO_TEST_CASE(an_event_of_a_clock_that_was_ahead_does_not_keep_those_behind_it) {
  using std::chrono::seconds;
  for (const char* ahead : {"31536000000", "30000"}) {  // a year; half the limit
    ReplayCache cache(path, {.max_age = seconds(60)});
    cache.store(events_of(0, 1));
    for (int run = 1; run < 10; ++run) cache.store(events_of(run, 10));
    gp::sqlite::Database(path).run_script(std::string("UPDATE events SET stored_at = stored_at + ") + ahead +
                                          " WHERE sequence = (SELECT min(sequence) FROM events)");
    cache.trim(gp::wall_now() + seconds(62));
    for (int run = 1; run < 10; ++run) BOOST_TEST(cache.find(run_number(run), 0, 100).last_id == 0);
    cache.trim(gp::wall_now() + seconds(92));
    BOOST_TEST(cache.find(run_number(0), 0, 100).last_id == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_quota_that_is_lowered_shrinks_the_file_and_costs_the_oldest_events_alone) {
  constexpr int kRuns = 1000;
  const auto pages = [this] {
    return static_cast<std::uintmax_t>(gp::sqlite::Database(path).number_of("PRAGMA page_count"));
  };
  gp::spool::Outbox outbox(path, 0, 4 * kSmallest);
  append_step(outbox, 1);
  {
    ReplayCache cache(path, {.max_bytes = 4 * kSmallest});
    for (int run = 0; run < kRuns; ++run) cache.store(events_of(run, 10, "run_completed", 4000));
  }
  BOOST_TEST(pages() * 4096 > 2u * kSmallest);
  ReplayCache cache(path, {.max_bytes = kSmallest});
  for (int i = 0; i < 3; ++i) cache.trim(gp::wall_now());
  BOOST_TEST(pages() * 4096 <= static_cast<std::uintmax_t>(kSmallest));
  BOOST_TEST(cache.find(run_number(0), 0, 100).last_id == 0);
  BOOST_TEST(cache.find(run_number(kRuns - 1), 0, 100).is_complete);
  BOOST_TEST(outbox.pending(10).size() == 1u);
  for (int run = 0; run < kRuns; ++run) cache.store(events_of(kRuns + run, 10, "run_completed", 4000));
  BOOST_TEST(pages() * 4096 <= static_cast<std::uintmax_t>(kSmallest));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_shrink_holds_no_more_than_the_quota_and_that_is_reported_once) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  gp::sqlite::Database(path).run_script(std::string(kVersion1) + "INSERT INTO host VALUES ('the-host')");
  {
    ReplayCache cache(path, {.max_bytes = 4 * kSmallest});
    for (int run = 0; run < 1000; ++run) cache.store(events_of(run, 10, "run_completed", 4000));
  }
  const Reports reports;
  ReplayCache cache(path, {.max_bytes = kSmallest});
  for (int i = 0; i < 3; ++i) cache.trim(gp::wall_now());
  gp::sqlite::Database file(path);
  const auto used = file.number_of("PRAGMA page_count") - file.number_of("PRAGMA freelist_count");
  BOOST_TEST(used * 4096 <= kSmallest);
  BOOST_TEST(used * 4096 > kSmallest / 2);
  BOOST_TEST(reports.count("SPOOL_MAX_BYTES") == 1u);
}

BOOST_AUTO_TEST_CASE(a_trim_gives_a_large_log_back) {
  ReplayCache cache(path, {});
  cache.store(events_of(1, 3));
  {
    gp::sqlite::Database reader(path);  // holds every checkpoint up
    gp::sqlite::Statement snapshot(reader, "SELECT spool_id FROM host");
    snapshot.step();
    for (int run = 0; run < 500; ++run) cache.store(events_of(run, 10, "run_completed", 4000));
    BOOST_TEST(std::filesystem::file_size(path + "-wal") > kSmallest);
  }
  cache.trim(gp::wall_now());
  BOOST_TEST(std::filesystem::file_size(path + "-wal") == 0u);
}

BOOST_AUTO_TEST_CASE(a_cache_that_is_not_used_yet_has_touched_nothing) {
  ReplayCache cache(path, {});
  BOOST_TEST(!std::filesystem::exists(path));
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  BOOST_TEST(std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(a_cache_that_cannot_be_opened_answers_nothing_and_is_reported_once) {
  std::ofstream(folder.path() + "/file") << "x";
  const Reports reports;
  ReplayCache cache(folder.path() + "/file/spool.db", {});
  for (int i = 0; i < 100; ++i) BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  BOOST_TEST(reports.count("spool_failed") == 1u);
  cache.store(events_of(1, 3));
  cache.trim(gp::wall_now());
  BOOST_TEST(reports.count("spool_failed") == 2u);
}

BOOST_AUTO_TEST_CASE(a_cache_works_again_when_its_folder_can_be_made) {
  const std::string folder_path = std::filesystem::path(path).parent_path();
  std::ofstream(folder_path) << "in the way";
  ReplayCache cache(path, {});
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  std::filesystem::remove(folder_path);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (cache.find(run_number(1), 0, 10).last_id == 0 && std::chrono::steady_clock::now() < deadline)
    cache.store(events_of(1, 3));
  BOOST_TEST(cache.find(run_number(1), 0, 10).is_complete);
}

BOOST_AUTO_TEST_CASE(a_file_removed_under_the_cache_is_a_miss_and_is_made_again) {
  ReplayCache cache(path, {});
  cache.store(events_of(1, 3));
  std::filesystem::remove(path);
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  cache.store(events_of(2, 3));
  BOOST_TEST(ReplayCache(path, {}).find(run_number(2), 0, 10).is_complete);
}

BOOST_AUTO_TEST_CASE(a_file_replaced_under_the_cache_is_the_one_that_is_read) {
  const std::string other = folder.path() + "/other.db";
  ReplayCache(other, {}).store(events_of(2, 3));
  ReplayCache cache(path, {});
  cache.store(events_of(1, 3));
  std::filesystem::rename(other, path);  // the old log stays beside it
  BOOST_TEST(cache.find(run_number(2), 0, 10).is_complete);
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(on_a_full_disk_the_cache_still_reads_and_later_stores_again) {
  SmallDisk disk(folder.path() + "/disk", 24 * 1024 * 1024);
  if (!disk.is_mounted()) {
    BOOST_TEST_MESSAGE("no right to mount: the quota stands for the disk");
    return;
  }
  const Reports reports;
  ReplayCache cache(folder.path() + "/disk/spool.db", {});
  cache.store(events_of(0, 10));
  disk.fill();
  for (int run = 1; run < 1000; ++run) cache.store(events_of(run, 10, "run_completed", 4000));
  BOOST_TEST(reports.count("spool_failed") == 1u);
  BOOST_TEST(cache.find(run_number(0), 0, 100).is_complete);
  BOOST_TEST(cache.find(run_number(999), 0, 100).last_id == 0);
  disk.relax();
  cache.store(events_of(999, 10));
  BOOST_TEST(cache.find(run_number(999), 0, 100).is_complete);
  BOOST_TEST(reports.count("spool_back") == 1u);
}

BOOST_AUTO_TEST_CASE(a_cache_opened_on_a_full_disk_does_not_throw) {
  SmallDisk disk(folder.path() + "/disk", 4 * 1024 * 1024);
  if (!disk.is_mounted()) return;
  disk.fill();
  ReplayCache cache(folder.path() + "/disk/spool.db", {});
  cache.store(events_of(1, 3));
  BOOST_TEST(cache.find(run_number(1), 0, 10).last_id == 0);
}

BOOST_AUTO_TEST_SUITE_END()
