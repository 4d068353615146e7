// The calling app changes the table projects while the service's sessions live.

#include <chrono>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/runlog/event_writer.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/rebuilt_document.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::Error;
using gp::ErrorKind;
using gp::ProjectId;
using gp::project::EventType;
using gp::runlog::Claim;
using gp::runlog::WriteOutcome;
using integration::Database;
using integration::request;

namespace {

const std::string kUuid = "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10";
const std::string kOtherUuid = "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f11";

/// A service whose sessions have been in use since projects.id had its first type.
struct Service : Database {
  explicit Service(const std::string& id_type) {
    script("CREATE TABLE projects (id " + id_type + " PRIMARY KEY, spec_json jsonb, updated_at timestamptz)");
    gp::runlog::migrate(url());
  }

  void start(const std::string& project_id) { intake.start(request(project_id)); }

  Claim claim_one() {
    auto claims = queue.claim(1);
    BOOST_REQUIRE(claims.size() == 1u);
    return claims.front();
  }

  Claim started_and_claimed(const std::string& project_id) {
    start(project_id);
    return claim_one();
  }

  bool has_document(const std::string& project_id) {
    return documents.find({ProjectId(project_id), ""}).has_value();
  }

  /// The column gets another type, with nothing in the table.
  void change_type(const std::string& type) const {
    script("DELETE FROM projects; ALTER TABLE projects ALTER COLUMN id TYPE " + type +
           " USING id::text::" + type);
  }

  gp::runlog::RunIntake intake{url()};
  gp::runlog::RunQueue queue{url(), url(), {"host/0", std::chrono::seconds(30)}};
  gp::runlog::EventWriter writer{url()};
  gp::runlog::ProjectDocuments documents{url()};
};

gp::project::Step step(const Claim& claim, std::int64_t id) {
  return {claim.lease.run_id,
          claim.lease.token,
          {id, EventType::kRunStarted, {{"project_id", claim.request.project_id.str()}}},
          "{\"n\":" + std::to_string(id) + "}",
          {}};
}

void write(Service& service, const std::vector<gp::project::Step>& steps) {
  for (const WriteOutcome outcome : service.writer.write_around_locks(steps))
    BOOST_TEST((outcome == WriteOutcome::kWritten));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(changed_projects)

BOOST_AUTO_TEST_CASE(runs_begin_and_go_on_after_the_id_has_become_a_uuid) {
  Service service("text");
  const Claim former = service.started_and_claimed(kUuid);
  write(service, {step(former, 1)});
  BOOST_TEST(service.has_document(kUuid));
  service.change_type("uuid");
  const Claim later = service.started_and_claimed(kOtherUuid);
  BOOST_TEST(later.project_writable);
  write(service, {step(later, 1)});
  BOOST_TEST(service.has_document(kOtherUuid));
  service.script("INSERT INTO projects (id) VALUES ('" + kUuid + "')");
  write(service, {step(former, 2)});
  BOOST_TEST(service.has_document(kUuid));
}

BOOST_AUTO_TEST_CASE(runs_that_are_written_one_by_one_notice_the_change_as_well) {
  Service service("text");
  const Claim good = service.started_and_claimed(kUuid);
  write(service, {step(good, 1)});
  service.change_type("uuid");
  service.script("INSERT INTO projects (id) VALUES ('" + kUuid + "')");
  const Claim refused = service.started_and_claimed("no uuid");
  BOOST_TEST(!refused.project_writable);
  write(service, {step(good, 2), step(refused, 1)});
  BOOST_TEST(service.value("SELECT spec_json->>'n' FROM projects") == "2");
}

BOOST_AUTO_TEST_CASE(a_number_may_grow_with_its_column) {
  Service service("integer");
  const std::string large = "5000000000";
  BOOST_TEST(service.started_and_claimed("7").project_writable);
  BOOST_TEST(service.has_document("7"));
  BOOST_TEST(!service.started_and_claimed(large).project_writable);
  BOOST_TEST(!service.has_document(large));
  service.script("ALTER TABLE projects ALTER COLUMN id TYPE bigint");
  BOOST_TEST(!service.has_document(large));
  service.script("INSERT INTO projects (id, spec_json) VALUES (" + large + ", '{}')");
  BOOST_TEST(service.has_document(large));
  BOOST_TEST(service.started_and_claimed("5000000001").project_writable);
}

BOOST_AUTO_TEST_CASE(while_there_is_no_such_table_runs_wait_and_say_why) {
  Service service("text");
  service.started_and_claimed("p");
  service.script("ALTER TABLE projects RENAME TO elsewhere");
  service.start("q");
  service.start("r");
  BOOST_CHECK_EXCEPTION(service.queue.claim(10), Error, [](const Error& error) {
    return error.kind() == ErrorKind::kUnavailable && error.code() == "42P01" &&
           std::string(error.what()).find("the table projects cannot be used") != std::string::npos;
  });
  BOOST_TEST(service.value("SELECT count(*) FROM generation_runs WHERE state = 'queued' AND takes = 0") ==
             "2");
  service.script("ALTER TABLE elsewhere RENAME TO projects");
  BOOST_TEST(service.queue.claim(10).size() == 2u);
  BOOST_TEST(service.value("SELECT string_agg(id, ' ' ORDER BY id) FROM projects") == "p q r");
}

BOOST_AUTO_TEST_CASE(an_id_that_no_column_takes_costs_a_session_nothing_it_has_prepared) {
  Service service("bigint");
  BOOST_TEST(!service.has_document("proj_abc"));
  service.script("INSERT INTO projects (id, spec_json) VALUES (7, '{}')");
  BOOST_TEST(service.has_document("7"));
  BOOST_TEST(!service.has_document("proj_abc"));
  gp::pg::Session session(service.url(), "test");
  const gp::pg::Statement find{"find", "SELECT 1 AS found FROM projects WHERE id = $1"};
  BOOST_TEST(session.run(find, {"7"}).size() == 1);
  BOOST_CHECK_EXCEPTION(session.run(find, {"proj_abc"}), Error,
                        [](const Error& error) { return error.code() == "22P02"; });
  BOOST_TEST(session.is_prepared(find));
  service.change_type("text");
  BOOST_TEST(session.run(find, {"proj_abc"}).empty());
  BOOST_TEST(!session.is_prepared(find));
  BOOST_TEST(session.run(find, {"proj_abc"}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
