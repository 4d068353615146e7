#include "handlers/ctl/run_logs.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/spool/replay_cache.h"
#include "core/spool/spool_inspection.h"
#include "tests/support/shell.h"

namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(run_logs)

BOOST_FIXTURE_TEST_CASE(the_file_and_the_folder_of_a_run_are_found_together_and_nothing_else,
                        support::TempFolder) {
  const std::string run = gp::make_uuid();
  const std::string other = gp::make_uuid();
  fs::create_directories(path() + "/" + run);
  for (const std::string& name : {run + ".csv", run + "/prompt.json", other + ".csv",
                                  std::string("notes.csv"), other + ".json", std::string("README")})
    std::ofstream(path() + "/" + name) << "x";
  fs::create_directories(path() + "/not-a-run");
  const auto logs = gp::ctl::find_run_logs(path());
  BOOST_REQUIRE(logs.size() == 2u);
  const auto& first = logs.front().run_id.str() == run ? logs.front() : logs.back();
  BOOST_TEST(first.paths.size() == 2u);
  for (const auto& each : first.paths) BOOST_TEST(!gp::ctl::remove_path(each).has_value());
  BOOST_TEST(!fs::exists(path() + "/" + run));
  BOOST_TEST(!fs::exists(path() + "/" + run + ".csv"));
  for (const std::string& name :
       {other + ".csv", std::string("notes.csv"), other + ".json", std::string("not-a-run")})
    BOOST_TEST(fs::exists(path() + "/" + name), name);
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_is_not_there_holds_nothing, support::TempFolder) {
  BOOST_TEST(gp::ctl::find_run_logs(path() + "/nowhere").empty());
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_several_remove_at_once_is_nobodys_fault, support::TempFolder) {
  for (int round = 0; round < 20; ++round) {
    const fs::path folder = path() + "/run";
    fs::create_directories(folder);
    for (int i = 0; i < 100; ++i) std::ofstream(folder / std::to_string(i)) << "x";
    std::array<std::optional<std::string>, 4> obstacles;
    {
      std::vector<std::jthread> prunes;
      for (auto& obstacle : obstacles) prunes.emplace_back([&] { obstacle = gp::ctl::remove_path(folder); });
    }
    for (const auto& obstacle : obstacles) BOOST_TEST(obstacle.value_or("") == "");
    BOOST_TEST(!fs::exists(folder));
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_removed_is_told_with_the_reason) {
  const auto obstacle = gp::ctl::remove_path("/proc/version");
  BOOST_TEST(obstacle.value_or("").starts_with("cannot remove /proc/version: "));
}

BOOST_FIXTURE_TEST_CASE(damaged_spool_files_are_found_oldest_first_without_what_belongs_to_them,
                        support::TempFolder) {
  const std::string spool = path() + "/spool.db";
  for (const char* day : {"22", "21", "23"}) {
    std::ofstream(spool + ".corrupt-2026-11-" + day) << "x";
    std::ofstream(spool + ".corrupt-2026-11-" + day + "-wal") << "x";
  }
  std::ofstream(spool) << "in use";
  const auto found = gp::spool::find_set_aside(spool);
  BOOST_REQUIRE(found.size() == 3u);
  BOOST_TEST(found.front().ends_with("-21"));
  BOOST_TEST(gp::spool::files_of(found.front()).at(1) == spool + ".corrupt-2026-11-21-wal");
}

namespace {

/// Every file of a folder with what is in it.
std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(folder))
    contents[entry.path().filename().string()] = support::read_file(entry.path().string());
  return contents;
}

/// A spool in a folder whose name an address of SQLite's must escape.
struct Spool : support::TempFolder {
  const gp::RunId run_id{gp::make_uuid()};
  const std::string folder = path() + "/a?b#c%d";
  const std::string file = folder + "/spool.db";

  void store() const {
    const gp::spool::CachedEvent event{run_id, 1, "run_started", "{}"};
    gp::spool::ReplayCache(file, {}).store(std::span(&event, 1));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_cached_runs_of_a_spool_are_found_without_a_trace, Spool) {
  fs::create_directories(folder);
  BOOST_TEST(gp::spool::find_cached_runs(file).empty());
  BOOST_TEST(contents_of(folder).empty());
  store();
  const auto before = contents_of(folder);
  BOOST_TEST((gp::spool::find_cached_runs(file) == std::vector{run_id}));
  BOOST_TEST((contents_of(folder) == before));
}

BOOST_FIXTURE_TEST_CASE(the_cached_runs_of_a_spool_in_use_are_found_with_its_write_ahead_log, Spool) {
  gp::spool::ReplayCache user(file, {});
  BOOST_TEST(user.runs().empty());  // has it open
  store();
  BOOST_REQUIRE(fs::file_size(file + "-wal") > 0u);
  BOOST_TEST((gp::spool::find_cached_runs(file) == std::vector{run_id}));
}

BOOST_FIXTURE_TEST_CASE(a_damaged_spool_that_is_only_looked_at_stays_where_it_is, Spool) {
  fs::create_directories(folder);
  std::ofstream(file) << std::string(8192, 'x');
  const auto before = contents_of(folder);
  BOOST_CHECK_EXCEPTION(gp::spool::find_cached_runs(file), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kConflict; });
  BOOST_TEST((contents_of(folder) == before));
}

BOOST_AUTO_TEST_SUITE_END()
