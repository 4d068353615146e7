#include "core/generation/known_events.h"

#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/generation/step_writer.h"
#include "tests/unit/generation/sample_answer.h"

using gp::Json;
using gp::generation::add_known_events;
using gp::generation::StepWriter;
using gp::project::EventType;
using gp::project::Step;
using gp::spool::Outbox;

namespace {

/// A run of which a worker in slot 3 wrote four events; the log has the first two of them.
struct Fixture {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("known-test-" + gp::make_uuid());
  Outbox theirs{folder / "spool.db", 3};
  Outbox ours{folder / "spool.db", 0};
  gp::runlog::Claim former = sample::claim();
  std::vector<Step> written = write_all();
  gp::runlog::Claim claim = sample::claim();

  Fixture() {
    claim.lease.token = gp::LeaseToken("0a7a3f0e-9999-4222-8333-444455556666");
    claim.former_token = former.lease.token;
    claim.events = {written[0].event, written[1].event};
  }
  ~Fixture() { std::filesystem::remove_all(folder); }

  std::vector<Step> write_all() {
    std::vector<Step> steps;
    StepWriter writer(former, "", [&](const Step& step) { steps.push_back(step); });
    writer.write(EventType::kRunStarted,
                 {{"attempt", 1}, {"model", "m"}, {"resumed_sections", Json::array()}});
    writer.write(EventType::kPlanCompleted,
                 {{"plan", {{"blocklist_ok", true}, {"sections", sample::plan().at("sections")}}}});
    writer.write(EventType::kSectionStarted, {{"section_id", "sec_01"}, {"name", "Launch"}, {"index", 1}});
    gp::project::RunEnd end;
    end.error_code = "timeout";
    end.llm_calls = 2;
    writer.write(EventType::kError,
                 {{"code", "timeout"}, {"message", "m"}, {"stage", "run"}, {"retryable", true}}, end);
    return steps;
  }
  std::vector<std::int64_t> pending() {
    std::vector<std::int64_t> sequences;
    for (const auto& entry : theirs.pending(10)) sequences.push_back(entry.sequence);
    return sequences;
  }
  /// The log had got these.
  void confirm(std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i) theirs.append(written[i]);
    theirs.confirm(pending());
  }
  void leave(std::size_t first) {
    for (std::size_t i = first; i < written.size(); ++i) theirs.append(written[i]);
  }
  std::vector<Step> add() { return add_known_events(claim, ours, ""); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(known_events, Fixture)

BOOST_AUTO_TEST_CASE(what_the_worker_before_has_not_shipped_goes_on_under_the_new_lease_as_it_was) {
  leave(2);
  const auto steps = add();
  BOOST_REQUIRE(steps.size() == 2u);
  BOOST_TEST(claim.events.size() == 4u);
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST(steps[i].token.str() == claim.lease.token.str());
    BOOST_TEST(steps[i].event.id == written[i + 2].event.id);
    BOOST_TEST(gp::dump_json(steps[i].event.data) == gp::dump_json(written[i + 2].event.data));
    BOOST_TEST(steps[i].document == written[i + 2].document);
  }
  BOOST_REQUIRE(steps.back().end.has_value());
  BOOST_TEST(steps.back().end->error_code == "timeout");
  BOOST_TEST(steps.back().end->llm_calls == 2);
}

BOOST_AUTO_TEST_CASE(what_the_worker_before_shipped_in_vain_after_the_claim_is_not_lost) {
  leave(2);
  theirs.refuse(pending(), gp::wall_now());
  BOOST_TEST(add().size() == 2u);
}

BOOST_AUTO_TEST_CASE(confirmed_ones_that_the_log_has_lost_come_first) {
  confirm(1, 2);
  leave(3);
  const auto steps = add();
  BOOST_REQUIRE(steps.size() == 2u);
  BOOST_TEST(steps.front().event.id == 3);
  BOOST_TEST(steps.back().event.id == 4);
}

BOOST_AUTO_TEST_CASE(a_log_that_has_lost_all_is_given_all) {
  confirm(0, 3);
  claim.events.clear();
  BOOST_TEST(add().size() == 4u);
}

BOOST_AUTO_TEST_CASE(what_was_confirmed_in_another_history_is_neither_added_nor_kept) {
  confirm(0, 3);
  claim.events.back().data["at"] =
      "2026-11-24T09:00:00.000Z";  // after a failover somebody else wrote this one
  BOOST_TEST(add().empty());
  BOOST_TEST(claim.events.size() == 2u);
  BOOST_TEST(theirs.confirmed(claim.lease.run_id, 0).empty());
}

BOOST_AUTO_TEST_CASE(confirmed_ones_that_cannot_be_compared_are_not_added_and_stay) {
  confirm(2, 3);
  BOOST_TEST(add().empty());
  BOOST_TEST(theirs.confirmed(claim.lease.run_id, 2).size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_another_lease_has_left_or_does_not_follow_on_is_nothing) {
  leave(3);  // the third is missing
  BOOST_TEST(add().empty());
  theirs.append(written[2]);
  claim.former_token = gp::LeaseToken("0a7a3f0e-7777-4222-8333-444455556666");
  BOOST_TEST(add().empty());
  claim.former_token.reset();
  BOOST_TEST(add().empty());
  BOOST_TEST(claim.events.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
