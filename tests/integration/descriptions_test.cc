// What is told of a run.

#include <string>

#include <boost/test/unit_test.hpp>

#include "core/runlog/event_writer.h"
#include "core/runlog/run_descriptions.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "tests/integration/database.h"

using gp::Json;
using gp::project::EventType;
using gp::project::Step;
using gp::runlog::Claim;
using gp::runlog::RunDescriptions;
using integration::Migrated;
using integration::request;

namespace {

struct Fixture : Migrated {
  RunDescriptions descriptions{url()};

  gp::RunId started() const { return gp::runlog::RunIntake(url()).start(request("p")).run_id; }
  Claim claimed() const {
    return gp::runlog::RunQueue(url(), url(), {"host/0", std::chrono::seconds(30)}).claim(1).front();
  }
  Json describe(const gp::RunId& run_id) {
    return gp::parse_json(descriptions.find(run_id, "").value().text);
  }

  static Step step(const Claim& claim, std::int64_t id, EventType type, const Json& members) {
    return {claim.lease.run_id,
            claim.lease.token,
            {id, type,
             gp::project::event_data(claim.lease.run_id, claim.request.project_id, "2026-11-24T08:00:00.000Z",
                                     members)},
            "{}",
            {}};
  }
  void write(const Step& step) const { gp::runlog::EventWriter(url()).write(std::span(&step, 1)); }

  void end_in_error(const Claim& claim, std::int64_t id) const {
    Step last = step(claim, id, EventType::kError,
                     {{"code", "timeout"}, {"message", "m"}, {"stage", "run"}, {"retryable", true}});
    last.end = gp::project::RunEnd{.complete = false,
                                   .error_code = "timeout",
                                   .error_message = "m",
                                   .usage = {10, 0, 20},
                                   .cost_usd = 0.5,
                                   .llm_calls = 2};
    write(last);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(descriptions, Fixture)

BOOST_AUTO_TEST_CASE(a_run_is_described_in_each_of_its_states) {
  const gp::RunId run_id = started();
  const Json queued = describe(run_id);
  BOOST_TEST(queued.at("state") == "queued");
  BOOST_TEST(queued.at("last_event_id") == 0);
  BOOST_TEST(queued.at("started_at").is_null());
  BOOST_TEST(queued.at("model").is_null());
  BOOST_TEST(queued.at("cost_est").is_null());

  const Claim claim = claimed();
  write(step(claim, 1, EventType::kRunStarted,
             {{"attempt", 1}, {"model", "some-model"}, {"resumed_sections", Json::array()}}));
  const Json running = describe(run_id);
  BOOST_TEST(running.at("state") == "running");
  BOOST_TEST(running.at("model") == "some-model");
  BOOST_TEST(running.at("last_event_id") == 1);
  BOOST_TEST(running.at("is_being_cancelled") == false);

  end_in_error(claim, 2);
  const Json ended = describe(run_id);
  BOOST_TEST(ended.at("state") == "error");
  BOOST_TEST((ended.at("error") == Json({{"code", "timeout"}, {"message", "m"}, {"retryable", true}})));
  BOOST_TEST((ended.at("tokens") == Json({{"prompt", 10}, {"completion", 20}})));
  BOOST_TEST(ended.at("cost_est") == 0.5);
  BOOST_TEST(ended.at("llm_calls") == 2);
}

BOOST_AUTO_TEST_CASE(the_tag_changes_with_the_run_and_the_text_is_sent_to_who_does_not_have_it) {
  const gp::RunId run_id = started();
  const auto first = descriptions.find(run_id, "").value();
  BOOST_TEST(!first.text.empty());
  const auto same = descriptions.find(run_id, first.etag).value();
  BOOST_TEST(same.etag == first.etag);
  BOOST_TEST(same.text.empty());
  claimed();
  const auto next = descriptions.find(run_id, first.etag).value();
  BOOST_TEST(next.etag != first.etag);
  BOOST_TEST(!next.text.empty());
}

BOOST_AUTO_TEST_CASE(what_is_told_holds_nothing_of_the_request_or_its_owner) {
  const std::string text = descriptions.find(started(), "").value().text;
  for (const char* secret : {"huda", "school.ae", "Fractions", "Empathy", "chat"})
    BOOST_TEST(text.find(secret) == std::string::npos, secret);
}

BOOST_AUTO_TEST_CASE(an_unknown_run_has_no_description) {
  BOOST_TEST(!descriptions.find(gp::RunId(gp::make_uuid()), "").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
