#include "core/project/project_id.h"

#include <string>

#include <boost/test/unit_test.hpp>

using gp::ProjectId;
using gp::project::canonical_id;
using gp::project::IdColumn;

namespace {

const std::string kUuid = "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10";

std::string uuid(const std::string& text) { return canonical_id(ProjectId(text), IdColumn::kUuid).str(); }
std::string integer(const std::string& text) {
  return canonical_id(ProjectId(text), IdColumn::kInteger).str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(project_id)

BOOST_AUTO_TEST_CASE(a_text_is_its_own_name) {
  for (const char* text : {"proj_1", "007", "+7", "6F1C9D2E-7B1A-4C55-9A60-0D9F2F1F3F10"})
    BOOST_TEST(canonical_id(ProjectId(text), IdColumn::kText).str() == text);
}

BOOST_AUTO_TEST_CASE(a_uuid_has_one_name_however_it_is_written) {
  for (const char* text : {"6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10", "6F1C9D2E-7B1A-4C55-9A60-0D9F2F1F3F10",
                           "{6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10}", "6f1c9d2e7b1a4c559a600d9f2f1f3f10",
                           "6f1c-9d2e-7b1a-4c55-9a60-0d9f-2f1f-3f10", "{6F1C9D2E7B1A4C559A600D9F2F1F3F10}"})
    BOOST_TEST(uuid(text) == kUuid);
}

BOOST_AUTO_TEST_CASE(what_is_no_uuid_stays_as_it_is) {
  for (const char* text :
       {"proj_1", "{6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10", "6f1c9d2e--7b1a-4c55-9a60-0d9f2f1f3f10",
        "6f1c9d2-e7b1a-4c55-9a60-0d9f2f1f3f10", "-6f1c9d2e7b1a4c559a600d9f2f1f3f10",
        "6f1c9d2e7b1a4c559a600d9f2f1f3f10-", "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f1", "{}", ""})
    BOOST_TEST(uuid(text) == text);
}

BOOST_AUTO_TEST_CASE(a_number_has_one_name_however_it_is_written) {
  for (const char* text : {"42", "042", "+42", "+00042", "0x2a", "0X2A", "0o52", "0b101010", "4_2"})
    BOOST_TEST(integer(text) == "42", text);
  BOOST_TEST(integer("-0") == "0");
  BOOST_TEST(integer("-007") == "-7");
  BOOST_TEST(integer("-0x10") == "-16");
  BOOST_TEST(integer("-9223372036854775808") == "-9223372036854775808");
}

BOOST_AUTO_TEST_CASE(what_is_no_number_or_too_large_stays_as_it_is) {
  for (const char* text : {"proj_1", "4.2", "--4", "+-4", "0x-4", "0x", "+", "9223372036854775808", ""})
    BOOST_TEST(integer(text) == text);
}

BOOST_AUTO_TEST_SUITE_END()
