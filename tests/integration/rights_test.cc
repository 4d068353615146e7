// A role that lacks a right: nobody's bug, nothing is lost by it, and all goes on once the right is granted.

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/project/event.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_list.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/stranger.h"

using gp::project::EventType;
using gp::project::Step;
using gp::runlog::Claim;
using gp::runlog::EventWriter;
using gp::runlog::RunQueue;
using gp::runlog::WriteOutcome;
using integration::request;
using integration::Stranger;
using std::chrono::seconds;

namespace {

bool is_told(const gp::Error& error) {
  return error.kind() == gp::ErrorKind::kUnavailable &&
         std::string(error.what()).find("generate-project doctor") != std::string::npos;
}

/// A role that may do all that the service does.
struct Servant : Stranger {
  Servant() {
    script("GRANT ALL ON generation_schema, generation_runs, generation_events, projects TO " + name);
    script("GRANT USAGE ON generation_start_order TO " + name);
  }
  void revoke(const std::string& right) const { script("REVOKE " + right + " FROM " + name); }
  void grant(const std::string& right) const { script("GRANT " + right + " TO " + name); }

  static Step first_step(const Claim& claim) {
    const gp::Json members = {{"attempt", 1}, {"model", "m"}, {"resumed_sections", gp::Json::array()}};
    return {claim.lease.run_id,
            claim.lease.token,
            {1, EventType::kRunStarted,
             gp::project::event_data(claim.lease.run_id, claim.request.project_id, "2026-11-24T08:00:00.000Z",
                                     members)},
            "{}",
            {}};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(rights, Servant)

BOOST_AUTO_TEST_CASE(a_missing_right_is_said_with_what_finds_it) {
  revoke("SELECT ON generation_runs");
  BOOST_CHECK_EXCEPTION(gp::runlog::list_runs(their_url(), std::nullopt, 1), gp::Error, is_told);
}

BOOST_AUTO_TEST_CASE(a_migration_without_the_right_to_make_tables_is_refused_by_name) {
  script("DROP TABLE generation_events, generation_runs, generation_schema");
  BOOST_CHECK_EXCEPTION(gp::runlog::migrate(their_url()), gp::Error, is_told);
}

BOOST_AUTO_TEST_CASE(a_run_whose_events_may_not_be_read_is_not_ended) {
  gp::runlog::RunIntake(url()).start(request("p"));
  revoke("SELECT ON generation_events");
  RunQueue queue(their_url(), their_url(), {"host/0", seconds(30)});
  BOOST_CHECK_EXCEPTION(queue.claim(1), gp::Error, is_told);
  BOOST_TEST(value("SELECT count(*) FROM generation_runs WHERE state = 'error'") == "0");
}

BOOST_AUTO_TEST_CASE(a_step_waits_for_the_right_to_write_events) {
  gp::runlog::RunIntake(url()).start(request("p"));
  const Step step = first_step(RunQueue(url(), url(), {"host/0", seconds(30)}).claim(1).front());
  EventWriter writer(their_url());
  revoke("INSERT ON generation_events");
  BOOST_CHECK_EXCEPTION(writer.write_around_locks(std::span(&step, 1)), gp::Error, is_told);
  grant("INSERT ON generation_events");
  BOOST_TEST((writer.write_around_locks(std::span(&step, 1)).front() == WriteOutcome::kWritten));
}

BOOST_AUTO_TEST_CASE(a_step_does_not_wait_for_the_right_to_write_the_calling_apps_table) {
  gp::runlog::RunIntake(url()).start(request("p"));
  const Step step = first_step(RunQueue(url(), url(), {"host/0", seconds(30)}).claim(1).front());
  revoke("UPDATE ON projects");
  BOOST_TEST(
      (EventWriter(their_url()).write_around_locks(std::span(&step, 1)).front() == WriteOutcome::kWritten));
  BOOST_TEST(value("SELECT count(*) FROM generation_events") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
