#include <set>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/utf8.h"

namespace utf8 = gp::utf8;

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(malformed_utf8_is_recognised) {
  for (const char* good : {"", "abc", "مدرسة", "\xF0\x9F\x98\x80"}) BOOST_TEST(utf8::is_valid(good));
  for (const char* bad : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF0\x9F\x98", "a\xFF"})
    BOOST_TEST(!utf8::is_valid(bad));
}

BOOST_AUTO_TEST_CASE(length_counts_code_points) { BOOST_TEST(utf8::length("aم\xF0\x9F\x98\x80") == 3u); }

BOOST_AUTO_TEST_CASE(controls_and_direction_overrides_are_found) {
  BOOST_TEST(!utf8::has_control("plain نص", false));
  for (const char* bad :
       {"a\tb", "a\nb", "a\x07", "a\xC2\x85", "a\xE2\x80\xAE", "a\xE2\x81\xA6", "\xEF\xBB\xBF"}) {
    BOOST_TEST(utf8::has_control(bad, false));
  }
  BOOST_TEST(!utf8::has_control("a\n\tb", true));
  BOOST_TEST(utf8::has_control("a\rb", true));
}

BOOST_AUTO_TEST_CASE(trim_takes_every_kind_of_space_from_both_ends_only) {
  BOOST_TEST(utf8::trim(" \t\xC2\xA0 a b \xE3\x80\x80\n") == "a b");
  BOOST_TEST(utf8::trim(" \xE2\x80\x8B ").empty());
}

BOOST_AUTO_TEST_CASE(sanitize_replaces_only_what_is_malformed) {
  BOOST_TEST(utf8::sanitize("a\xFF\xD9\x85") == "a\xEF\xBF\xBD\xD9\x85");
}

BOOST_AUTO_TEST_CASE(truncate_never_cuts_a_character) {
  BOOST_TEST(utf8::truncate("ممم", 2) == "مم...");
  BOOST_TEST(utf8::truncate("abc", 3) == "abc");
}

BOOST_AUTO_TEST_CASE(uuids_are_version_4_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = gp::make_uuid();
    BOOST_REQUIRE(uuid.size() == 36u);
    BOOST_TEST(uuid[14] == '4');
    BOOST_TEST(std::string("89ab").find(uuid[19]) != std::string::npos);
    BOOST_TEST(seen.insert(uuid).second);
  }
}

BOOST_AUTO_TEST_CASE(run_ids_are_read_in_canonical_form_only) {
  BOOST_TEST(gp::parse_run_id("6F1C9D2E-7B1A-4C55-9A60-0D9F2F1F3F10")->str() ==
             "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");
  for (const char* bad : {"", "6f1c9d2e7b1a4c559a600d9f2f1f3f10", "{6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10}",
                          "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f1g", "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f1"}) {
    BOOST_TEST(!gp::parse_run_id(bad).has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_unusable_request_id_is_replaced) {
  BOOST_TEST(gp::request_id_or_new("abc-1.2_X") == "abc-1.2_X");
  BOOST_TEST(gp::request_id_or_new("a b").size() == 36u);
  BOOST_TEST(gp::request_id_or_new(std::string(65, 'a')).size() == 36u);
}

BOOST_AUTO_TEST_CASE(times_are_rfc_3339_with_milliseconds) {
  BOOST_TEST(gp::format_rfc3339(gp::WallTime(std::chrono::milliseconds(1'700'000'000'125))) ==
             "2023-11-14T22:13:20.125Z");
  BOOST_TEST(gp::format_rfc3339(gp::WallTime(std::chrono::milliseconds(-1))) == "1969-12-31T23:59:59.999Z");
}

BOOST_AUTO_TEST_SUITE_END()
