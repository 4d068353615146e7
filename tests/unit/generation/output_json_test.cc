#include "core/generation/output_json.h"

#include <string>

#include <boost/test/unit_test.hpp>

#include "core/project/redaction.h"

using gp::Json;
using gp::generation::output_json;

BOOST_AUTO_TEST_SUITE(output_json_of_an_answer)

BOOST_AUTO_TEST_CASE(an_answer_that_is_json_stays_what_it_is) {
  BOOST_TEST(output_json(R"({"a":["b\n"]})") == gp::parse_json(R"({"a":["b\n"]})"));
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_cut_is_text_without_its_escapes) {
  BOOST_TEST(output_json(R"({"a":"b\nc\t\"d\" \\ \/ \u0040 \u0661 \ud83d\ude00)").at("text") ==
             "{\"a\":\"b\nc\t\"d\" \\ / @ \u0661 \U0001F600");
}

BOOST_AUTO_TEST_CASE(what_is_no_sound_escape_stays) {
  for (const std::string text :
       {R"(no JSON: \x)", R"(cut \u00)", R"(half \ud83d)", R"(nul \u0000)", "end \\"})
    BOOST_TEST(output_json(text).at("text") == text);
}

BOOST_AUTO_TEST_CASE(personal_data_in_an_answer_that_was_cut_is_found) {
  Json output = output_json(R"({"steps":["Call:\n0501234567 or\t4111111111111111 or a\u0040b.ae",)");
  gp::project::redact_strings(output);
  BOOST_TEST(output.at("text") == "{\"steps\":[\"Call:\n[phone] or\t[card] or [email]\",");
}

BOOST_AUTO_TEST_SUITE_END()
