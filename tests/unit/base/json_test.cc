#include "core/base/json.h"

#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"

using gp::Error;
using gp::ErrorKind;
using gp::parse_json;

namespace {

bool is_bad_input(const Error& error) { return error.kind() == ErrorKind::kBadInput; }
bool is_too_large(const Error& error) { return error.kind() == ErrorKind::kTooLarge; }

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_AUTO_TEST_CASE(members_keep_their_order) {
  BOOST_TEST(gp::dump_json(parse_json(R"({"z":1,"a":[true,null,0.02]})")) ==
             R"({"z":1,"a":[true,null,0.02]})");
}

BOOST_AUTO_TEST_CASE(what_the_library_accepts_and_we_do_not_is_refused) {
  for (const char* text : {R"({"a":1,"a":2})", R"({"a":"\u0000"})", R"({"\u0000":1})", "{} x", "", "{",
                           R"(["\ud83d"])", "[1e999]", "[\"\xff\"]", "[1,]"}) {
    BOOST_CHECK_EXCEPTION(parse_json(text), Error, is_bad_input);
  }
  for (const std::string_view text : {std::string_view("{}\0", 3), std::string_view("{}\0{}", 5)})
    BOOST_CHECK_EXCEPTION(parse_json(text), Error, is_bad_input);
}

BOOST_AUTO_TEST_CASE(the_same_member_in_two_objects_is_no_duplicate) {
  BOOST_CHECK_NO_THROW(parse_json(R"([{"a":1},{"a":{"a":2}}])"));
}

BOOST_AUTO_TEST_CASE(depth_is_bounded) {
  BOOST_CHECK_NO_THROW(parse_json(nested(32)));
  BOOST_CHECK_EXCEPTION(parse_json(nested(33)), Error, is_bad_input);
  BOOST_CHECK_EXCEPTION(parse_json(nested(100'000)), Error, is_bad_input);
}

BOOST_AUTO_TEST_CASE(size_is_bounded) {
  BOOST_CHECK_EXCEPTION(parse_json("[1,2,3]", {.max_bytes = 3}), Error, is_too_large);
}

BOOST_AUTO_TEST_CASE(dumping_invalid_utf8_replaces_it) {
  BOOST_TEST(gp::dump_json(gp::Json("a\xff")) == "\"a\xEF\xBF\xBD\"");
}

BOOST_AUTO_TEST_SUITE_END()
