#include "core/base/clock.h"

#include <boost/test/unit_test.hpp>

using std::chrono::milliseconds;
using std::chrono::system_clock;

BOOST_AUTO_TEST_SUITE(wall_time)

BOOST_AUTO_TEST_CASE(a_time_is_read_as_it_was_written) {
  for (const std::int64_t ms : {0LL, 1LL, 1'764'000'000'125LL, 951'782'400'999LL}) {
    const gp::WallTime time{milliseconds(ms)};
    const auto read = gp::parse_rfc3339(gp::format_rfc3339(time));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(std::chrono::duration_cast<milliseconds>(read->time_since_epoch()).count() == ms);
  }
}

BOOST_AUTO_TEST_CASE(what_is_written_in_another_way_is_no_time) {
  for (const char* text :
       {"", "yesterday", "2026-11-23", "2026-11-23T08:30:00Z", "2026-11-23T08:30:00.1Z",
        "2026-11-23T08:30:00.125+04:00", "2026-11-23T08:30:00.125Z ", "2026-02-30T08:30:00.125Z",
        "2026-11-23T25:30:00.125Z", "2026-11-23T08:30:00,125Z", "2026-11-23 08:30:00.125Z"})
    BOOST_TEST(!gp::parse_rfc3339(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
