// The projects table as the calling app may have made it.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/runlog/event_writer.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::ProjectId;
using gp::project::EventType;
using gp::runlog::Claim;
using gp::runlog::EventWriter;
using gp::runlog::ProjectDocuments;
using gp::runlog::RunIntake;
using gp::runlog::RunQueue;
using gp::runlog::WriteOutcome;
using integration::Database;
using integration::Migrated;
using integration::request;

namespace {

/// Starts a run and takes it from the queue.
Claim claimed(const Database& database, const std::string& project_id, const std::string& chat_id = "chat") {
  RunIntake(database.url()).start(request(project_id, chat_id));
  auto claims = RunQueue(database.url(), database.url(), {"host/0", std::chrono::seconds(30)}).claim(10);
  BOOST_REQUIRE(claims.size() == 1u);
  return claims.front();
}

gp::project::Step first_step(const Claim& claim, const std::string& document) {
  return {claim.lease.run_id,
          claim.lease.token,
          {1, EventType::kRunStarted, {{"project_id", claim.request.project_id.str()}}},
          document,
          {}};
}

struct IdType {
  const char* type;
  const char* id;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(projects)

BOOST_AUTO_TEST_CASE(every_type_of_id_works_and_an_existing_row_is_updated) {
  for (const IdType& each : std::array<IdType, 4>{{{"text", "proj_1"},
                                                   {"varchar(64)", "proj_1"},
                                                   {"uuid", "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"},
                                                   {"bigint", "42"}}}) {
    BOOST_TEST_CONTEXT(each.type) {
      const Database database;
      const std::string id = each.id;
      database.script(std::string("CREATE TABLE projects (id ") + each.type +
                      " PRIMARY KEY, name text NOT NULL, spec_json jsonb, updated_at timestamptz);"
                      "INSERT INTO projects (id, name) VALUES ('" +
                      id + "', 'theirs')");
      gp::runlog::migrate(database.url());
      const Claim claim = claimed(database, id);
      BOOST_TEST(claim.project_writable);
      EventWriter writer(database.url());
      const auto step = first_step(claim, R"({"status":"planning"})");
      BOOST_TEST((writer.write(std::span(&step, 1)).front() == WriteOutcome::kWritten));
      const auto document = ProjectDocuments(database.url()).find({ProjectId(id), ""});
      BOOST_REQUIRE(document.has_value());
      BOOST_TEST(gp::parse_json(document->text).at("status") == "planning");
      BOOST_TEST(database.value("SELECT name FROM projects") == "theirs");
      BOOST_TEST(database.value("SELECT updated_at IS NOT NULL FROM projects") == "true");
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_row_is_made_where_the_table_lets_us, Migrated) {
  BOOST_TEST(claimed(*this, "new").project_writable);
  BOOST_TEST(value("SELECT id FROM projects") == "new");
}

BOOST_AUTO_TEST_CASE(a_row_that_the_table_does_not_let_us_make_is_no_project) {
  for (const char* table :
       {"id text PRIMARY KEY, owner bigint NOT NULL, spec_json jsonb, updated_at timestamptz",
        "id bigint PRIMARY KEY, spec_json jsonb, updated_at timestamptz",
        "id uuid PRIMARY KEY, spec_json jsonb, updated_at timestamptz"}) {
    const Database database;
    database.script(std::string("CREATE TABLE projects (") + table + ")");
    gp::runlog::migrate(database.url());
    const Claim claim = claimed(database, "proj_abc");
    BOOST_TEST(!claim.project_writable, table);
    EventWriter writer(database.url());  // its events are written all the same: the error must be seen
    const auto step = first_step(claim, "{}");
    BOOST_TEST((writer.write(std::span(&step, 1)).front() == WriteOutcome::kWritten));
    BOOST_TEST(!ProjectDocuments(database.url()).find({ProjectId("proj_abc"), ""}).has_value());
  }
}

BOOST_AUTO_TEST_CASE(however_the_table_refuses_a_row_the_run_is_claimed_and_told) {
  struct Refusal {
    const char* table;
    const char* id;
  };
  for (const auto& each : std::array<Refusal, 5>{
           {{"CREATE TABLE projects (id varchar(36) PRIMARY KEY, spec_json jsonb, updated_at timestamptz)",
             "proj_of_an_id_that_has_more_than_36_characters"},
            {"CREATE TABLE projects (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, spec_json jsonb, "
             "updated_at timestamptz)",
             "42"},
            {"CREATE TABLE projects (id text PRIMARY KEY, spec_json jsonb, updated_at timestamptz);"
             "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not here'; END $$;"
             "CREATE TRIGGER refuse BEFORE INSERT ON projects FOR EACH ROW EXECUTE FUNCTION refuse()",
             "proj_abc"},
            {"CREATE TABLE kept (id text PRIMARY KEY, spec_json jsonb, updated_at timestamptz);"
             "CREATE VIEW projects AS SELECT * FROM kept WHERE id LIKE 'ours%' WITH CHECK OPTION",
             "theirs"},
            {"CREATE TABLE kept (id text PRIMARY KEY, spec_json jsonb, updated_at timestamptz);"
             "CREATE VIEW projects AS SELECT DISTINCT * FROM kept",
             "proj_abc"}}}) {
    const Database database;
    database.script(each.table);
    gp::runlog::migrate(database.url());
    BOOST_TEST(!claimed(database, each.id).project_writable, each.table);
  }
}

BOOST_FIXTURE_TEST_CASE(an_older_run_keeps_its_events_and_leaves_the_project_to_the_later_one, Migrated) {
  const Claim older = claimed(*this, "p", "first");
  const Claim later = claimed(*this, "p", "second");
  EventWriter writer(url());
  const auto by_later = first_step(later, R"({"by":"later"})");
  const auto by_older = first_step(older, R"({"by":"older"})");
  writer.write(std::span(&by_later, 1));
  BOOST_TEST((writer.write(std::span(&by_older, 1)).front() == WriteOutcome::kWritten));
  BOOST_TEST(gp::parse_json(ProjectDocuments(url()).find({ProjectId("p"), ""})->text).at("by") == "later");
  BOOST_TEST(value("SELECT count(*) FROM generation_events") == "2");
}

BOOST_FIXTURE_TEST_CASE(a_known_tag_saves_the_text, Migrated) {
  const Claim claim = claimed(*this, "p");
  EventWriter writer(url());
  const auto step = first_step(claim, R"({"a":1})");
  writer.write(std::span(&step, 1));
  ProjectDocuments documents(url());
  const auto full = documents.find({ProjectId("p"), ""});
  BOOST_TEST(!full->text.empty());
  BOOST_TEST(documents.find({ProjectId("p"), full->etag})->text.empty());
  BOOST_TEST(!documents.find({ProjectId("nobody"), ""}));
  script("UPDATE projects SET spec_json = NULL");
  BOOST_TEST(!documents.find({ProjectId("p"), ""}));
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_has_a_document_sees_every_change_of_it, Migrated) {
  ProjectDocuments documents(url());
  const ProjectId project("p");
  BOOST_TEST(!documents.find({project, ""}));
  script(R"(INSERT INTO projects (id, spec_json) VALUES ('p', '{"n":1}'))");
  const auto first = documents.find({project, ""});
  BOOST_TEST(documents.find({project, ""})->text == first->text);
  BOOST_TEST(documents.find({project, first->etag})->text.empty());
  script(R"(UPDATE projects SET spec_json = '{"n":2}')");
  const auto second = documents.find({project, first->etag});
  BOOST_TEST(gp::parse_json(second->text).at("n") == 2);
  BOOST_TEST(second->etag != first->etag);
  script(R"(UPDATE projects SET spec_json = '{"n":1}')");
  BOOST_TEST(documents.find({project, second->etag})->etag == first->etag);
  script("DELETE FROM projects");
  BOOST_TEST(!documents.find({project, first->etag}));
  script(R"(INSERT INTO projects (id, spec_json) VALUES ('p', '{"n":3}'))");
  BOOST_TEST(gp::parse_json(documents.find({project, ""})->text).at("n") == 3);
}

BOOST_FIXTURE_TEST_CASE(who_knew_the_tag_at_first_gets_the_text_later, Migrated) {
  script(R"(INSERT INTO projects (id, spec_json) VALUES ('p', '{"n":1}'))");
  const auto known = ProjectDocuments(url()).find({ProjectId("p"), ""});
  ProjectDocuments documents(url());
  BOOST_TEST(documents.find({ProjectId("p"), known->etag})->text.empty());
  BOOST_TEST(documents.find({ProjectId("p"), known->etag})->text.empty());
  BOOST_TEST(documents.find({ProjectId("p"), ""})->text == known->text);
}

using Questions = std::vector<std::optional<ProjectDocuments::Question>>;
using Question = ProjectDocuments::Question;

BOOST_FIXTURE_TEST_CASE(questions_that_came_together_are_what_they_are_alone, Migrated) {
  const auto number_in = [](const auto& document) { return gp::parse_json(document->text).at("n"); };
  script(R"(INSERT INTO projects (id, spec_json) VALUES ('p', '{"n":1}'), ('q', '{"n":2}'))");
  ProjectDocuments documents(url());
  const auto known = documents.find({ProjectId("p"), ""});
  const Questions questions = {Question{ProjectId("p"), ""},      std::nullopt,
                               Question{ProjectId("q"), ""},      Question{ProjectId("p"), known->etag},
                               Question{ProjectId("nobody"), ""}, Question{ProjectId("q"), ""}};
  const auto answers = documents.find_together(questions);
  BOOST_REQUIRE(answers.size() == questions.size());
  BOOST_TEST(number_in(answers[0].value()) == 1);
  BOOST_TEST(!answers[1].has_value());
  BOOST_TEST(number_in(answers[2].value()) == 2);
  BOOST_TEST(answers[3].value()->etag == known->etag);
  BOOST_TEST(answers[3].value()->text.empty());
  BOOST_TEST(!answers[4].value().has_value());
  BOOST_TEST(number_in(answers[5].value()) == 2);
}

BOOST_FIXTURE_TEST_CASE(one_question_alone_is_left_to_find, Migrated) {
  ProjectDocuments documents(url());
  BOOST_TEST(documents.find_together({}).empty());
  const auto answers = documents.find_together(Questions{std::nullopt, Question{ProjectId("p"), ""}});
  BOOST_TEST(answers.size() == 2u);
  BOOST_TEST(!answers.back().has_value());
}

BOOST_AUTO_TEST_CASE(with_a_question_that_the_column_cannot_hold_each_is_left_to_find) {
  const Database database;
  database.script(R"(CREATE TABLE projects (id bigint PRIMARY KEY, spec_json jsonb, updated_at timestamptz);
                     INSERT INTO projects (id, spec_json) VALUES (1, '{"n":1}'), (2, '{"n":2}'))");
  gp::runlog::migrate(database.url());
  ProjectDocuments documents(database.url());
  const Questions questions = {Question{ProjectId("1"), ""}, Question{ProjectId("none"), ""},
                               Question{ProjectId("2"), ""}};
  for (const auto& answer : documents.find_together(questions)) BOOST_TEST(!answer.has_value());
  BOOST_TEST(documents.find(*questions[0]).has_value());
  BOOST_TEST(!documents.find(*questions[1]).has_value());
  BOOST_TEST(documents.find(*questions[2]).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_view_in_the_place_of_the_table_is_read_afresh_each_time, Migrated) {
  script(R"(ALTER TABLE projects RENAME TO kept; CREATE VIEW projects AS SELECT * FROM kept;
            INSERT INTO kept (id, spec_json) VALUES ('p', '{"n":1}'))");
  ProjectDocuments documents(url());
  const auto first = documents.find({ProjectId("p"), ""});
  BOOST_TEST(documents.find({ProjectId("p"), first->etag})->text.empty());
  script(R"(UPDATE kept SET spec_json = '{"n":2}')");
  BOOST_TEST(gp::parse_json(documents.find({ProjectId("p"), first->etag})->text).at("n") == 2);
}

BOOST_FIXTURE_TEST_CASE(what_the_calling_app_overwrites_is_whole_again_with_the_next_step, Migrated) {
  const Claim claim = claimed(*this, "p");
  EventWriter writer(url());
  auto step = first_step(claim, R"({"n":1})");
  writer.write(std::span(&step, 1));
  script("UPDATE projects SET spec_json = '{}'");
  step.event.id = 2;
  step.document = R"({"n":2})";
  writer.write(std::span(&step, 1));
  BOOST_TEST(value("SELECT spec_json->>'n' FROM projects") == "2");
}

BOOST_AUTO_TEST_SUITE_END()
