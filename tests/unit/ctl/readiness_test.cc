#include "handlers/readiness.h"

#include <boost/test/unit_test.hpp>

#include "core/project/json_schema.h"
#include "tests/support/shell.h"

using gp::metrics::Gauge;
using gp::readiness::Facts;
using gp::readiness::judge;

namespace {

Facts sound() {
  Facts facts;
  gp::runlog::LogHealth log;
  log.is_reachable = true;
  log.schema = {gp::runlog::known_schema_version(), 1};
  facts.log = log;
  for (auto* handler : {&facts.events, &facts.workers}) {
    handler->processes = 2;
    handler->gauges.assign(static_cast<std::size_t>(Gauge::kEnd), 0);
  }
  facts.events.gauges.at(static_cast<std::size_t>(Gauge::kListenersConnected)) = 2;
  return facts;
}

std::string status(const Facts& facts, const char* check) {
  return judge(facts).body.at("checks").at(check).at("status").get<std::string>();
}

/// What the description of the service says of the answer.
gp::project::JsonSchema described(const char* status) {
  const auto api = gp::parse_json(support::read_file(GP_SOURCE_DIR "/nginx/www/openapi.json"));
  const auto& responses = api.at("paths").at("/health/ready").at("get").at("responses");
  return gp::project::JsonSchema(
      {{"allOf", gp::Json::array({responses.at(status).at("content").at("application/json").at("schema")})},
       {"components", api.at("components")}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(readiness)

BOOST_AUTO_TEST_CASE(a_sound_host_is_ready_and_every_entry_says_ok) {
  const auto verdict = judge(sound());
  BOOST_TEST(verdict.is_ready);
  BOOST_TEST(verdict.body.at("checks").size() == 6u);
  for (const auto& [name, entry] : verdict.body.at("checks").items())
    BOOST_TEST(entry.at("status") == "ok", name);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_away_or_does_not_answer_is_named) {
  auto facts = sound();
  facts.log->is_reachable = false;
  BOOST_TEST(!judge(facts).is_ready);
  BOOST_TEST(status(facts, "postgres") == "fail");
  facts.log.reset();
  BOOST_TEST(status(facts, "postgres") == "fail");
  facts.has_database_url = false;
  BOOST_TEST(judge(facts).body.at("checks").at("postgres").at("detail") == "DATABASE_URL is not set");
}

BOOST_AUTO_TEST_CASE(a_database_that_takes_no_writes_makes_the_host_not_ready) {
  auto facts = sound();
  facts.log->is_read_only = true;
  BOOST_TEST(!judge(facts).is_ready);
  BOOST_TEST(judge(facts).body.at("checks").at("postgres").at("detail") == "takes no writes");
}

BOOST_AUTO_TEST_CASE(
    a_schema_that_does_not_fit_makes_the_host_not_ready_and_a_newer_one_that_only_adds_does_not) {
  auto facts = sound();
  facts.log->schema.version = 0;
  BOOST_TEST(status(facts, "schema") == "fail");
  facts.log->schema = {1000, 1000};
  BOOST_TEST(status(facts, "schema") == "fail");
  facts.log->schema = {1000, 1};
  BOOST_TEST(judge(facts).is_ready);
}

BOOST_AUTO_TEST_CASE(nobody_who_hears_the_doorbell_is_a_failure_and_some_are_a_warning) {
  auto facts = sound();
  facts.events.gauges.at(static_cast<std::size_t>(Gauge::kListenersConnected)) = 1;
  BOOST_TEST(status(facts, "listener") == "degraded");
  BOOST_TEST(judge(facts).is_ready);
  facts.events.gauges.at(static_cast<std::size_t>(Gauge::kListenersConnected)) = 0;
  BOOST_TEST(status(facts, "listener") == "fail");
}

BOOST_AUTO_TEST_CASE(a_host_without_workers_is_ready_as_long_as_somebody_takes_the_runs) {
  auto facts = sound();
  facts.workers.processes = 0;
  BOOST_TEST(status(facts, "workers") == "degraded");
  BOOST_TEST(judge(facts).is_ready);
  BOOST_TEST(described("200").check(judge(facts).body).empty());
  facts.log->queued = 3;
  facts.log->oldest_queued = std::chrono::seconds(120);
  BOOST_TEST(status(facts, "workers") == "fail");
  BOOST_TEST(!judge(facts).is_ready);
}

BOOST_AUTO_TEST_CASE(a_spool_that_fails_and_a_queue_that_stands_still_are_degraded_but_ready) {
  auto facts = sound();
  facts.workers.gauges.at(static_cast<std::size_t>(Gauge::kSpoolFailing)) = 1;
  facts.log->queued = 3;
  facts.log->oldest_queued = std::chrono::seconds(120);
  BOOST_TEST(status(facts, "spool") == "degraded");
  BOOST_TEST(status(facts, "queue") == "degraded");
  BOOST_TEST(judge(facts).is_ready);
}

BOOST_AUTO_TEST_CASE(the_answer_is_as_the_description_of_the_service_says_whether_ready_or_not) {
  auto facts = sound();
  BOOST_TEST(described("200").check(judge(facts).body).empty());
  BOOST_TEST(!described("503").check(judge(facts).body).empty());
  facts.events.gauges.at(static_cast<std::size_t>(Gauge::kSpoolFailing)) = 1;
  facts.log->queued = 3;
  facts.log->oldest_queued = std::chrono::seconds(120);
  BOOST_TEST(described("200").check(judge(facts).body).empty());
  facts.log->schema.version = 0;
  BOOST_TEST(described("503").check(judge(facts).body).empty());
  facts.log.reset();
  facts.workers.processes = 0;
  BOOST_TEST(described("503").check(judge(facts).body).empty());
}

BOOST_AUTO_TEST_SUITE_END()
