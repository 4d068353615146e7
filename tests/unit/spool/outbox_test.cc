#include "core/spool/outbox.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/support/shell.h"

using gp::project::EventType;
using gp::project::Step;
using gp::spool::Outbox;

namespace {

struct Fixture {
  support::TempFolder folder;
  std::string path = folder.path() + "/deep/spool.db";
};

Step step(std::int64_t id) {
  return {gp::RunId("6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"),
          gp::LeaseToken("0a7a3f0e-1111-4222-8333-444455556666"),
          {id, EventType::kSectionStarted, {{"n", id}, {"text", "é \xF0\x9F\x98\x80 'q'"}}},
          R"({"status":"generating"})",
          {}};
}

std::vector<std::int64_t> ids_of(Outbox& outbox) {
  std::vector<std::int64_t> ids;
  for (const auto& entry : outbox.pending(1000)) ids.push_back(entry.step.event.id);
  return ids;
}

std::size_t files_set_aside(const std::string& path) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
    const std::string name = file.path().filename();
    if (name.find(".corrupt-") != std::string::npos && !name.ends_with("-wal") && !name.ends_with("-shm"))
      ++count;
  }
  return count;
}

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
  outbox.remove(std::span(&first, 1));
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

BOOST_AUTO_TEST_CASE(each_slot_has_its_own_rows_and_a_smaller_pool_inherits) {
  Outbox zero(path, 0);
  Outbox three(path, 3);
  zero.append(step(1));
  three.append(step(2));
  BOOST_TEST(zero.spool_id() == three.spool_id());
  BOOST_TEST((ids_of(zero) == Ids{1}));
  zero.adopt_from(2);
  BOOST_TEST((ids_of(zero) == Ids{1, 2}));
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
  std::filesystem::remove(path);
  outbox.append(step(2));
  BOOST_TEST((ids_of(outbox) == Ids{2}));
  BOOST_TEST(std::filesystem::exists(path));
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

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_said_to_be_unavailable) {
  std::ofstream(folder.path() + "/file") << "x";
  BOOST_CHECK_EXCEPTION(Outbox(folder.path() + "/file/spool.db", 0), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kUnavailable; });
}

BOOST_AUTO_TEST_SUITE_END()
