#include "core/project/redaction.h"

#include <random>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/utf8.h"

using gp::Json;
using gp::project::redact;

BOOST_AUTO_TEST_SUITE(redaction)

BOOST_AUTO_TEST_CASE(personal_data_is_replaced_by_its_kind) {
  BOOST_TEST(redact("Write to huda.ali+x@school.ae.") == "Write to [email].");
  BOOST_TEST(redact("معلم@مدرسة.امارات") == "[email]");
  for (const char* text :
       {"+971 50 123 4567", "+971501234567", "00971 4 123 4567", "+971 (0)50 123 4567", "971501234567",
        "050 123 4567", "050-123-4567", "0501234567", "04 123 4567", "+44 20 7946 0958", "٠٥٠ ١٢٣ ٤٥٦٧",
        "۰۵۰۱۲۳۴۵۶۷", "+971\u00A050\u00A0123\u00A04567"}) {
    BOOST_TEST(redact(std::string("Call ") + text + " now") == "Call [phone] now", text);
  }
  BOOST_TEST(redact("id 784-1987-1234567-1!") == "id [emirates_id]!");
  BOOST_TEST(redact("784198712345671") == "[emirates_id]");
  BOOST_TEST(redact("AE07 0331 2345 6789 0123 456") == "[iban]");
  BOOST_TEST(redact("card 4111 1111 1111 1111.") == "card [card].");
}

BOOST_AUTO_TEST_CASE(numbers_of_mathematics_stay) {
  for (const char* text :
       {"1,500,000", "3.14159265358979323846", "2026-11-24", "1990-2024", "price@3.50", "0.0501234567",
        "9,050,123,4567", "seat_1", "4111 1111 1111 1112", "12 345 678 people", "AED 12.50", "x = 0.5",
        "978-3-16-148410-0", "1/2 + 1/3 = 5/6"}) {
    BOOST_TEST(redact(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(neighbours_are_all_found) {
  BOOST_TEST(redact("a@b.ae,c@d.ae;0501234567 0521234567") == "[email],[email];[phone] [phone]");
}

BOOST_AUTO_TEST_CASE(redacting_again_changes_nothing_and_utf8_stays_valid) {
  std::minstd_rand random(7);
  const std::string alphabet[] = {"0", "5", "9", "7",  "1", "4", "8",   " ",  "-",  "+",
                                  "@", ".", "a", "AE", "٥", "é", "784", "05", "971"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += alphabet[random() % std::size(alphabet)];
    const std::string once = redact(text);
    BOOST_REQUIRE_MESSAGE(redact(once) == once, text);
    BOOST_REQUIRE(gp::utf8::is_valid(once));
  }
}

BOOST_AUTO_TEST_CASE(long_input_is_linear_work) {
  BOOST_TEST(redact(std::string(200'000, 'a') + "@").size() == 200'001u);
  BOOST_TEST(redact(std::string(200'000, '1')).size() == 200'000u);
}

BOOST_AUTO_TEST_CASE(every_text_of_a_value_is_cleaned_names_of_members_too) {
  Json value = {{"a@b.ae", 1}, {"c@d.ae", {"call 0501234567", "fine", 2.5}}, {"keep", {{"x", "e@f.ae"}}}};
  BOOST_TEST(gp::project::redact_strings(value) == 4);
  BOOST_TEST(gp::dump_json(value) ==
             R"({"[email]":1,"[email] 2":["call [phone]","fine",2.5],"keep":{"x":"[email]"}})");
  BOOST_TEST(gp::project::redact_strings(value) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
