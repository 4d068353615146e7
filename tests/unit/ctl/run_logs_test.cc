#include "handlers/ctl/run_logs.h"

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "core/base/ids.h"
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
  gp::ctl::remove_run_logs(first);
  BOOST_TEST(!fs::exists(path() + "/" + run));
  BOOST_TEST(!fs::exists(path() + "/" + run + ".csv"));
  for (const std::string& name :
       {other + ".csv", std::string("notes.csv"), other + ".json", std::string("not-a-run")})
    BOOST_TEST(fs::exists(path() + "/" + name), name);
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_is_not_there_holds_nothing, support::TempFolder) {
  BOOST_TEST(gp::ctl::find_run_logs(path() + "/nowhere").empty());
}

BOOST_FIXTURE_TEST_CASE(of_damaged_spool_files_the_newest_are_kept, support::TempFolder) {
  const std::string spool = path() + "/spool.db";
  for (const char* day : {"21", "24", "22", "23"}) {
    std::ofstream(spool + ".corrupt-2026-11-" + day) << "x";
    std::ofstream(spool + ".corrupt-2026-11-" + day + "-wal") << "x";
  }
  std::ofstream(spool) << "in use";
  BOOST_TEST(gp::spool::remove_set_aside(spool, 2, true).size() == 2u);
  BOOST_TEST(gp::spool::find_set_aside(spool).size() == 4u);
  BOOST_TEST(gp::spool::remove_set_aside(spool, 2, false).size() == 2u);
  const auto left = gp::spool::find_set_aside(spool);
  BOOST_REQUIRE(left.size() == 2u);
  BOOST_TEST(left.front().ends_with("-23"));
  BOOST_TEST(!fs::exists(spool + ".corrupt-2026-11-21-wal"));
  BOOST_TEST(fs::exists(spool + ".corrupt-2026-11-24-wal"));
  BOOST_TEST(fs::exists(spool));
  BOOST_TEST(gp::spool::remove_set_aside(spool, 2, false).empty());
}

BOOST_AUTO_TEST_SUITE_END()
