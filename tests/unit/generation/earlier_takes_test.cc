#include "core/generation/earlier_takes.h"

#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

using gp::Json;
using gp::generation::EarlierTakes;
using gp::project::EventType;
using std::chrono::milliseconds;

namespace {

gp::project::Event event(EventType type, const std::string& at, Json members = Json::object()) {
  members["at"] = at;
  return {1, type, std::move(members)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(earlier_takes)

BOOST_AUTO_TEST_CASE(the_takes_of_an_attempt_are_those_after_the_last_end) {
  const auto takes = gp::generation::earlier_takes(
      std::vector{event(EventType::kRunStarted, "2026-11-23T08:00:00.000Z"),
                  event(EventType::kError, "2026-11-23T08:10:00.000Z"),
                  event(EventType::kRunStarted, "2026-11-23T09:00:00.250Z"),
                  event(EventType::kPlanCompleted, "2026-11-23T09:00:10.250Z"),
                  event(EventType::kSectionStarted, "2026-11-23T09:00:30.250Z"),
                  event(EventType::kRunStarted, "2026-11-23T11:00:00.000Z"),
                  event(EventType::kSectionCompleted, "2026-11-23T11:00:05.000Z")},
      "");
  BOOST_TEST(takes.count == 2);
  BOOST_REQUIRE(takes.began.has_value());
  BOOST_TEST(gp::format_rfc3339(*takes.began) == "2026-11-23T09:00:00.250Z");
  BOOST_TEST(takes.worked.count() == 35'000);  // and not the two hours in between
}

BOOST_AUTO_TEST_CASE(an_attempt_that_begins_has_none) {
  BOOST_TEST(gp::generation::earlier_takes({}, "").count == 0);
  const auto takes =
      gp::generation::earlier_takes(std::vector{event(EventType::kRunStarted, "2026-11-23T08:00:00.000Z"),
                                                event(EventType::kError, "2026-11-23T08:10:00.000Z")},
                                    "");
  BOOST_TEST(takes.count == 0);
  BOOST_TEST(!takes.began.has_value());
  BOOST_TEST(takes.worked.count() == 0);
}

BOOST_AUTO_TEST_CASE(a_take_that_goes_on_with_the_fallback_is_one_take) {
  const auto started = [](const char* at, const char* model) {
    return event(EventType::kRunStarted, at, {{"model", model}});
  };
  const std::vector events = {started("2026-11-23T08:00:00.000Z", "gone"),
                              started("2026-11-23T08:00:01.000Z", "new"),
                              event(EventType::kPlanCompleted, "2026-11-23T08:00:10.000Z"),
                              started("2026-11-23T09:00:00.000Z", "gone"),
                              started("2026-11-23T09:00:01.000Z", "new"),
                              started("2026-11-23T10:00:00.000Z", "gone")};
  const auto takes = gp::generation::earlier_takes(events, "new");
  BOOST_TEST(takes.count == 3);
  BOOST_TEST(takes.worked.count() == 10'000);
  BOOST_TEST(gp::generation::earlier_takes(events, "").count == 5);
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_back_takes_no_time_away) {
  const auto takes =
      gp::generation::earlier_takes(std::vector{event(EventType::kRunStarted, "2026-11-23T08:10:00.000Z"),
                                                event(EventType::kPlanCompleted, "2026-11-23T08:00:00.000Z")},
                                    "");
  BOOST_TEST(takes.worked.count() == 0);
}

BOOST_AUTO_TEST_CASE(a_take_has_what_earlier_ones_left_of_the_time_and_a_quarter_of_it_at_least) {
  const auto left = [](int worked_s) {
    return time_left(milliseconds(900'000), EarlierTakes{.count = 1, .worked = milliseconds(worked_s * 1000)})
        .count();
  };
  BOOST_TEST(left(0) == 900'000);
  BOOST_TEST(left(300) == 600'000);
  BOOST_TEST(left(5000) == 225'000);
}

BOOST_AUTO_TEST_SUITE_END()
