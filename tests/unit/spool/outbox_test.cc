#include "core/spool/outbox.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/spool/file_lock.h"
#include "core/spool/spool_inspection.h"
#include "core/sqlite/database.h"
#include "tests/support/wait.h"
#include "tests/unit/spool/spool_fixture.h"

using gp::project::EventType;
using gp::project::Step;
using gp::spool::Outbox;
using gp::spool::ReplayCache;
using spool_test::files_set_aside;
using spool_test::Fixture;

namespace {

Step step(std::int64_t id) {
  return {gp::RunId("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"),
          gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666"),
          {id, EventType::kSectionStarted, {{"n", id}, {"text", "é \xF0\x9F\x98\x80 'q'"}}},
          R"({"status":"generating"})",
          {}};
}

Step of_other_run(std::int64_t id) {
  Step other = step(id);
  other.run_id = spool_test::run_number(7);
  return other;
}

std::vector<std::int64_t> ids_of(Outbox& outbox) {
  std::vector<std::int64_t> ids;
  for (const auto& entry : outbox.pending(1000)) ids.push_back(entry.step.event.id);
  return ids;
}

/// One that is as large as the document of a finished project.
Step large_step(std::int64_t id) {
  Step large = step(id);
  large.document = std::string(100'000, 'd');
  return large;
}

std::vector<std::int64_t> sequences_of(Outbox& outbox, int limit = 1000) {
  std::vector<std::int64_t> sequences;
  for (const auto& entry : outbox.pending(limit)) sequences.push_back(entry.sequence);
  return sequences;
}

/// Appends large steps until there is no room; how many there were room for.
std::int64_t append_until_full(Outbox& outbox, std::int64_t first_id = 1) {
  for (std::int64_t id = first_id;; ++id) {
    try {
      outbox.append(large_step(id));
    } catch (const gp::Error& error) {
      BOOST_TEST((error.kind() == gp::ErrorKind::kTooLarge));
      return id - first_id;
    }
  }
}

constexpr std::int64_t kSmallest = 16 * 1024 * 1024;

using Ids = std::vector<std::int64_t>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(outbox, Fixture)

BOOST_AUTO_TEST_CASE(steps_come_back_as_they_were_in_order_until_they_are_removed) {
  Outbox outbox(path, 0);
  Step last = step(3);
  last.event.type = EventType::kError;
  last.end = gp::project::RunEnd{.complete = false,
                                 .error_code = "timeout",
                                 .error_message = "m",
                                 .usage = {.prompt_tokens = -1, .cached_tokens = 2, .completion_tokens = 3},
                                 .cost_usd = 0.25,
                                 .llm_calls = 2};
  for (const Step& each : {step(1), step(2), last}) outbox.append(each);
  const auto entries = outbox.pending(10);
  BOOST_REQUIRE(entries.size() == 3u);
  BOOST_TEST(gp::dump_json(entries[0].step.event.data) == gp::dump_json(step(1).event.data));
  BOOST_TEST(entries[0].step.token.str() == step(1).token.str());
  BOOST_TEST(entries[0].step.document == step(1).document);
  BOOST_TEST(!entries[0].step.end.has_value());
  BOOST_REQUIRE(entries[2].step.end.has_value());
  BOOST_TEST(entries[2].step.end->error_code == "timeout");
  BOOST_TEST(entries[2].step.end->usage.prompt_tokens == -1);
  BOOST_TEST(entries[2].step.end->cost_usd.value() == 0.25);
  BOOST_TEST(outbox.pending(2).size() == 2u);
  const std::int64_t first = entries[0].sequence;
  outbox.refuse(std::span(&first, 1), gp::wall_now());
  BOOST_TEST((ids_of(outbox) == Ids{2, 3}));
}

BOOST_AUTO_TEST_CASE(what_was_appended_survives_the_death_of_its_process) {
  const pid_t child = ::fork();
  if (child == 0) {
    Outbox outbox(path, 1);
    for (std::int64_t id = 1; id <= 5; ++id) outbox.append(step(id));
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  Outbox successor(path, 1);
  BOOST_TEST((ids_of(successor) == Ids{1, 2, 3, 4, 5}));
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(each_slot_has_its_own_rows_until_another_one_adopts_them) {
  Outbox zero(path, 0);
  Outbox three(path, 3);
  zero.append(step(1));
  three.append(step(2));
  BOOST_TEST(zero.find_spool_id().value() == three.find_spool_id().value());
  BOOST_TEST((ids_of(zero) == Ids{1}));
  BOOST_TEST((zero.slots() == std::vector<int>{0, 3}));
  const auto newest = zero.adopt(3);
  BOOST_TEST(newest == sequences_of(zero).back());
  BOOST_TEST((ids_of(zero) == Ids{1, 2}));
  BOOST_TEST((zero.slots() == std::vector<int>{0}));
  BOOST_TEST(three.adopt(7) == 0);
}

BOOST_AUTO_TEST_CASE(confirmed_events_are_known_beyond_a_cursor_up_to_the_first_gap) {
  Outbox outbox(path, 0);
  for (const std::int64_t id : {1, 2, 3, 5}) outbox.append(step(id));
  BOOST_TEST(outbox.confirmed(step(1).run_id, 0).empty());  // not confirmed yet
  outbox.confirm(sequences_of(outbox));
  const auto known = outbox.confirmed(step(1).run_id, 1);
  BOOST_REQUIRE(known.size() == 2u);
  BOOST_TEST(known.front().id == 2);
  BOOST_TEST(known.front().data == gp::dump_json(step(2).event.data));
  BOOST_TEST(outbox.confirmed(step(1).run_id, 3).empty());
}

BOOST_AUTO_TEST_CASE(what_a_lease_has_left_unconfirmed_is_known_to_every_slot_up_to_the_first_gap) {
  Outbox zero(path, 0);
  Outbox three(path, 3);
  Step other_lease = step(5);
  other_lease.token = gp::LeaseToken("0a7a3f0e-9999-4222-8333-444455556666");
  for (const Step& each : {step(1), step(2), step(3), other_lease, step(6)}) three.append(each);
  const auto known = zero.unconfirmed(step(1).run_id, step(1).token, 1);
  BOOST_REQUIRE(known.size() == 2u);
  BOOST_TEST(known.front().event.id == 2);
  BOOST_TEST(known.front().document == step(2).document);
  BOOST_TEST(known.back().event.id == 3);
  BOOST_TEST(zero.unconfirmed(step(1).run_id, step(1).token, 3).empty());
  BOOST_TEST(zero.unconfirmed(step(1).run_id, other_lease.token, 4).size() == 1u);
  three.confirm(sequences_of(three));
  BOOST_TEST(zero.unconfirmed(step(1).run_id, step(1).token, 0).empty());
}

BOOST_AUTO_TEST_CASE(several_threads_and_processes_append_at_once) {
  Outbox one(path, 0);
  Outbox two(path, 1);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < 25; ++n) (i % 2 == 0 ? one : two).append(step(100 * i + n + 1));
      });
    }
  }
  BOOST_TEST(ids_of(one).size() == 50u);
  BOOST_TEST(ids_of(two).size() == 50u);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_database_is_set_aside) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << std::string(8192, 'x');
  Outbox outbox(path, 0);
  outbox.append(step(1));
  BOOST_TEST((ids_of(outbox) == Ids{1}));
  BOOST_TEST(files_set_aside(path) == 1u);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_removed_under_us_is_made_again) {
  Outbox outbox(path, 0);
  outbox.append(step(1));
  const std::string spool_id = outbox.find_spool_id().value();
  std::filesystem::remove(path);
  outbox.append(step(2));
  BOOST_TEST((ids_of(outbox) == Ids{1, 2}));  // what PostgreSQL does not have is read from the removed file
  BOOST_TEST(std::filesystem::exists(path));
  BOOST_TEST(Outbox(path, 0).find_spool_id().value() == spool_id);
  BOOST_TEST((ids_of(outbox) == Ids{1, 2}));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_replaced_under_us_takes_the_steps_over) {
  const std::string other = folder.path() + "/other.db";
  Outbox(other, 0).append(step(7));
  Outbox outbox(path, 0);
  outbox.append(step(1));
  std::filesystem::rename(other, path);
  outbox.append(step(2));
  BOOST_TEST((ids_of(outbox) == Ids{7, 1, 2}));
  BOOST_TEST(files_set_aside(path) == 0u);
}

BOOST_AUTO_TEST_CASE(a_step_that_was_read_from_a_former_file_never_means_another_one) {
  Outbox outbox(path, 0);
  outbox.append(step(1));
  outbox.append(step(2));
  const auto sequences = sequences_of(outbox);
  std::filesystem::remove(path);
  Outbox other(path, 1);
  for (std::int64_t id = 11; id <= 15; ++id) other.append(step(id));
  outbox.confirm(sequences);
  BOOST_TEST((ids_of(other) == Ids{11, 12, 13, 14, 15}));
  BOOST_TEST(ids_of(outbox).empty());
}

BOOST_AUTO_TEST_CASE(steps_of_a_file_that_is_set_aside_go_on_in_the_new_one) {
  Outbox outbox(path, 0);
  const std::string spool_id = outbox.find_spool_id().value();
  for (std::int64_t id = 1; id <= 3; ++id) outbox.append(step(id));
  gp::sqlite::Database(path).run_script("UPDATE outbox SET data = 'torn' WHERE event_id = 3");
  // The third cannot be read, nor anything after it be of use.
  BOOST_TEST((ids_of(outbox) == Ids{1, 2}));
  BOOST_TEST(files_set_aside(path) == 1u);
  BOOST_TEST(Outbox(path, 0).find_spool_id().value() == spool_id);
}

BOOST_AUTO_TEST_CASE(a_damaged_step_loses_what_follows_of_its_run_and_nothing_of_other_runs) {
  Outbox outbox(path, 0);
  for (const std::int64_t id : {1, 2, 11, 3, 12}) outbox.append(id > 10 ? of_other_run(id) : step(id));
  gp::sqlite::Database(path).run_script("UPDATE outbox SET data = 'torn' WHERE event_id = 2");
  BOOST_TEST((ids_of(outbox) == Ids{1, 11, 12}));
  BOOST_TEST(files_set_aside(path) == 1u);
}

BOOST_AUTO_TEST_CASE(runs_and_entries_that_are_set_aside_do_not_hide_what_is_behind_them) {
  Outbox outbox(path, 0);
  for (const std::int64_t id : {1, 2, 11, 3, 12}) outbox.append(id > 10 ? of_other_run(id) : step(id));
  const auto ids = [&](const Outbox::Beside& beside, int limit) {
    Ids found;
    for (const auto& entry : outbox.pending(limit, beside)) found.push_back(entry.step.event.id);
    return found;
  };
  const auto sequences = sequences_of(outbox);
  BOOST_TEST((ids({.runs = {step(1).run_id.str()}, .sequences = {}}, 10) == Ids{11, 12}));
  BOOST_TEST((ids({.runs = {}, .sequences = {sequences[0], sequences[2]}}, 2) == Ids{2, 3}));
  BOOST_TEST((ids({.runs = {step(1).run_id.str()}, .sequences = {sequences[2]}}, 10) == Ids{12}));
}

BOOST_AUTO_TEST_CASE(a_spool_of_another_version_is_set_aside) {
  {
    Outbox outbox(path, 0);
    outbox.append(step(1));
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);  // user_version (SQLite file format 1.3)
  file.write("\0\0\3\xe7", 4);
  file.close();
  Outbox outbox(path, 0);
  BOOST_TEST(ids_of(outbox).empty());
  BOOST_TEST(files_set_aside(path) == 1u);
}

BOOST_AUTO_TEST_CASE(the_steps_of_a_version_1_are_shipped_by_this_one) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  gp::sqlite::Database(path).run_script(std::string(spool_test::kVersion1) + R"sql(
    INSERT INTO host VALUES ('the-host');
    INSERT INTO outbox (slot, run_id, token, event_id, type, data, document)
    VALUES (0, 'r', 't', 1, 'section_started', '{"n":1}', '{}'), (0, 'r', 't', 2, 'section_started', '{"n":2}', '{}'))sql");
  Outbox outbox(path, 0);
  BOOST_TEST(outbox.find_spool_id().value() == "the-host");
  BOOST_TEST((ids_of(outbox) == Ids{1, 2}));
  outbox.append(step(3));
  outbox.confirm(sequences_of(outbox));
  BOOST_TEST(ids_of(outbox).empty());
  BOOST_TEST(ReplayCache(path, {}).find(gp::RunId("r"), 0, 10).last_id == 2);
}

BOOST_AUTO_TEST_CASE(confirmed_steps_leave_the_outbox_for_the_replay_cache) {
  Outbox outbox(path, 0);
  for (std::int64_t id = 1; id <= 3; ++id) outbox.append(step(id));
  const auto sequences = sequences_of(outbox);
  const std::int64_t before = gp::wall_now().time_since_epoch() / std::chrono::milliseconds(1);
  outbox.confirm(std::span(sequences).first(2));
  BOOST_TEST((ids_of(outbox) == Ids{3}));
  const auto tail = ReplayCache(path, {}).find(step(1).run_id, 0, 10);
  BOOST_REQUIRE(tail.events.size() == 2u);
  BOOST_TEST(tail.events[1].type == "section_started");
  BOOST_TEST(tail.events[1].data == gp::dump_json(step(2).event.data));
  BOOST_TEST(tail.events[1].committed_at_ms >= before);
  outbox.confirm(sequences);  // again, as after a failure half-way: no harm
  BOOST_TEST(ReplayCache(path, {}).find(step(1).run_id, 0, 10).last_id == 3);
}

BOOST_AUTO_TEST_CASE(refused_steps_are_shipped_and_replayed_no_more_and_are_forgotten_after_a_while) {
  using std::chrono::seconds;
  const gp::WallTime then = gp::wall_now();
  Outbox outbox(path, 0);
  outbox.append(step(1));
  outbox.append(step(2));
  outbox.refuse(sequences_of(outbox), then);
  outbox.append(step(3));
  BOOST_TEST((ids_of(outbox) == Ids{3}));
  BOOST_TEST(outbox.slots().size() == 1u);
  BOOST_TEST(gp::spool::inspect_spool(path).unconfirmed == 1);
  BOOST_TEST(ReplayCache(path, {}).find(step(1).run_id, 0, 10).last_id == 0);

  const auto known = [&] { return outbox.unconfirmed(step(1).run_id, step(1).token, 0).size(); };
  outbox.tidy(then);
  BOOST_TEST(known() == 3u);  // to whoever has the run now
  Outbox(path, 1).tidy(then + seconds(1));
  BOOST_TEST(known() == 0u);
  BOOST_TEST((ids_of(outbox) == Ids{3}));
}

BOOST_AUTO_TEST_CASE(a_spool_full_of_unconfirmed_steps_refuses_more_until_some_leave) {
  Outbox outbox(path, 0, kSmallest);
  const std::int64_t count = append_until_full(outbox);
  BOOST_TEST(count > 100);
  const auto sequences = sequences_of(outbox);
  BOOST_TEST(std::ssize(sequences) == count);  // not one was evicted
  ReplayCache cache(path, {.max_bytes = kSmallest});
  cache.store(spool_test::events_of(1, 3));
  outbox.confirm(std::span(sequences).first(20));
  BOOST_TEST(cache.find(step(1).run_id, 0, 100).last_id == 20);
  outbox.append(step(1000));
  BOOST_TEST(ids_of(outbox).back() == 1000);
  BOOST_TEST(std::filesystem::file_size(path) <= static_cast<std::uintmax_t>(kSmallest));
}

BOOST_AUTO_TEST_CASE(confirmed_events_make_room_for_unconfirmed_steps) {
  Outbox outbox(path, 0, kSmallest);
  ReplayCache cache(path, {.max_bytes = kSmallest});
  for (int run = 0; run < 300; ++run) cache.store(spool_test::events_of(run, 10, "run_completed", 4000));
  BOOST_TEST(cache.find(spool_test::run_number(299), 0, 100).is_complete);
  const std::int64_t count = append_until_full(outbox);
  BOOST_TEST(count > 100);  // more than the quarter that the cache leaves
  BOOST_TEST(std::ssize(outbox.pending(1000)) == count);
  BOOST_TEST(cache.find(spool_test::run_number(299), 0, 100).last_id == 0);
  BOOST_TEST(std::filesystem::file_size(path) <= static_cast<std::uintmax_t>(kSmallest));
}

BOOST_AUTO_TEST_CASE(on_a_full_disk_steps_can_still_be_removed) {
  spool_test::SmallDisk disk(folder.path() + "/disk", 40 * 1024 * 1024);
  if (!disk.is_mounted()) {
    BOOST_TEST_MESSAGE("no right to mount: the quota stands for the disk");
    Outbox outbox(path, 0, kSmallest);
    append_until_full(outbox);
    outbox.confirm(sequences_of(outbox));
    BOOST_TEST(ids_of(outbox).empty());
    return;
  }
  const std::string on_disk = folder.path() + "/disk/spool.db";
  Outbox outbox(on_disk, 0);
  BOOST_TEST(std::filesystem::exists(on_disk + ".ballast"));
  const std::int64_t count = append_until_full(outbox);
  BOOST_TEST(count > 100);
  disk.fill();
  while (!ids_of(outbox).empty()) outbox.confirm(sequences_of(outbox, 64));
  BOOST_TEST(!std::filesystem::exists(on_disk + ".ballast"));
  disk.relax();
  for (std::int64_t id = 1; id <= count; ++id) outbox.append(large_step(1000 + id));
  outbox.confirm(sequences_of(outbox, 64));
  BOOST_TEST(files_set_aside(on_disk) == 0u);
}

BOOST_AUTO_TEST_CASE(the_ballast_is_made_again_when_there_is_room) {
  Outbox outbox(path, 0);
  std::filesystem::remove(path + ".ballast");
  outbox.append(step(1));
  outbox.confirm(sequences_of(outbox));
  BOOST_TEST(std::filesystem::file_size(path + ".ballast") > 0u);
}

BOOST_AUTO_TEST_CASE(a_ballast_whose_maker_was_killed_is_made_whole) {
  { const Outbox outbox(path, 0); }
  const auto size = std::filesystem::file_size(path + ".ballast");
  std::filesystem::resize_file(path + ".ballast", 0);
  { const Outbox outbox(path, 0); }
  BOOST_TEST(std::filesystem::file_size(path + ".ballast") == size);
}

BOOST_AUTO_TEST_CASE(a_spool_on_a_full_disk_can_be_opened) {
  spool_test::SmallDisk disk(folder.path() + "/disk", 40 * 1024 * 1024);
  if (!disk.is_mounted()) return;
  const std::string on_disk = folder.path() + "/disk/spool.db";
  Outbox(on_disk, 0).append(step(1));
  disk.fill();
  Outbox outbox(on_disk, 0);
  BOOST_TEST((ids_of(outbox) == Ids{1}));
  outbox.confirm(sequences_of(outbox));
  BOOST_TEST(ids_of(outbox).empty());
}

BOOST_AUTO_TEST_CASE(an_outbox_that_cannot_be_opened_is_unavailable_until_it_can) {
  const spool_test::Reports reports;
  std::ofstream(folder.path() + "/file") << "x";
  Outbox outbox(folder.path() + "/file/spool.db", 0);
  BOOST_TEST(!outbox.find_spool_id().has_value());
  BOOST_CHECK_EXCEPTION(outbox.append(step(1)), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
  BOOST_TEST(reports.count("spool_failed") > 0u);
  std::filesystem::remove(folder.path() + "/file");
  BOOST_TEST(
      support::wait_until([&] { return outbox.find_spool_id().has_value(); }, std::chrono::seconds(30)));
  outbox.append(step(1));
  BOOST_TEST((ids_of(outbox) == Ids{1}));
}

BOOST_AUTO_TEST_CASE(a_full_disk_without_ballast_lets_an_outbox_be_made_that_works_when_there_is_room) {
  spool_test::SmallDisk disk(folder.path() + "/disk", 40 * 1024 * 1024);
  if (!disk.is_mounted()) return;
  disk.fill();
  Outbox outbox(folder.path() + "/disk/spool.db", 0);
  BOOST_CHECK_THROW(outbox.append(step(1)), gp::Error);
  disk.relax();
  BOOST_TEST(
      support::wait_until([&] { return outbox.find_spool_id().has_value(); }, std::chrono::seconds(30)));
  outbox.append(step(1));
  BOOST_TEST((ids_of(outbox) == Ids{1}));
}

BOOST_AUTO_TEST_CASE(looks_that_can_wait_do_not_wait_behind_a_thread_that_cannot_write) {
  Outbox outbox(path, 0);
  gp::spool::FileLock lock(path + ".lock");
  std::optional<gp::spool::FileLock::Hold> hold(std::in_place, lock, std::chrono::milliseconds(1000));
  std::jthread writer([&] { outbox.append(step(1)); });
  const auto is_refused_soon = [&] {
    const gp::SteadyTime begun = gp::steady_now();
    try {
      outbox.slots();
      return false;
    } catch (const gp::Error&) {
      return gp::steady_now() - begun < std::chrono::seconds(2);
    }
  };
  BOOST_TEST(support::wait_until(is_refused_soon, std::chrono::seconds(4)));
  hold.reset();
  writer.join();
  BOOST_TEST((ids_of(outbox) == Ids{1}));
}

BOOST_AUTO_TEST_SUITE_END()
