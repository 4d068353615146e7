#include "core/llm/answer_reader.h"

#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"

using gp::llm::AnswerReader;
using gp::llm::Piece;

namespace {

/// What came out of a reader, as one line a piece.
std::vector<std::string> drain(AnswerReader& reader) {
  std::vector<std::string> pieces;
  while (const auto piece = reader.next()) {
    switch (piece->kind) {
      case Piece::Kind::kPlan:
        pieces.push_back("plan " + gp::dump_json(piece->value));
        break;
      case Piece::Kind::kSectionOpened:
        pieces.push_back("open " + piece->section_id);
        break;
      case Piece::Kind::kSection:
        pieces.push_back(piece->section_id + " " +
                         (piece->problem.empty() ? gp::dump_json(piece->value) : "is broken"));
        break;
    }
  }
  return pieces;
}

std::vector<std::string> read_whole(const std::string& text) {
  AnswerReader reader;
  reader.push(text);
  BOOST_TEST(reader.is_closed());
  return drain(reader);
}

const std::string kPlain =
    R"({"plan":{"sections":[{"id":"sec_01","t":"a \"quoted\" {brace} \\"},{"sections":{"sec_09":{}}}]},)"
    R"("sections":{"sec_01":{"s":["[","}",1.5e3,true,null,{}],"u":"é \ud83d\ude00 م"},"sec_02":{"x":[]}}})";

const std::vector<std::string> kExpected = {
    R"(plan {"sections":[{"id":"sec_01","t":"a \"quoted\" {brace} \\"},{"sections":{"sec_09":{}}}]})",
    "open sec_01",
    "sec_01 {\"s\":[\"[\",\"}\",1500.0,true,null,{}],\"u\":\"é \xF0\x9F\x98\x80 م\"}",
    "open sec_02",
    R"(sec_02 {"x":[]})",
};

std::string pretty(const std::string& text) { return gp::parse_json(text).dump(2); }

std::vector<std::string> documents() {
  return {kPlain,
          pretty(kPlain),
          "\xEF\xBB\xBF" + kPlain,
          "```json\n" + kPlain + "\n```\nI hope this helps {really}!",
          "Here is {the} JSON {\"not\" yet} and {\"an\": \"example\"}: {} {{\"a\":1]} " + kPlain,
          "<think>{\"plan\": {\"draft\": 1}} <thin </thin></think>\n" + kPlain,
          "a < b and <thing> " + kPlain + "}}} trailing"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(answer_reader)

BOOST_AUTO_TEST_CASE(every_wrapping_gives_the_same_pieces) {
  for (const std::string& document : documents()) {
    BOOST_TEST(read_whole(document) == kExpected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(every_split_point_gives_the_same_pieces) {
  for (const std::string& document : documents()) {
    for (std::size_t split = 0; split <= document.size(); ++split) {
      AnswerReader reader;
      reader.push(std::string_view(document).substr(0, split));
      auto pieces = drain(reader);
      // What has come out already is a beginning of the whole.
      BOOST_REQUIRE(pieces.size() <= kExpected.size());
      BOOST_REQUIRE(std::equal(pieces.begin(), pieces.end(), kExpected.begin()));
      reader.push(std::string_view(document).substr(split));
      for (std::string& piece : drain(reader)) pieces.push_back(std::move(piece));
      BOOST_REQUIRE_MESSAGE(pieces == kExpected, "split at " << split << " of " << document);
      BOOST_REQUIRE(reader.is_closed());
    }
  }
}

BOOST_AUTO_TEST_CASE(byte_by_byte_and_random_splits_give_the_same_pieces) {
  std::minstd_rand random(11);
  for (const std::string& document : documents()) {
    for (int round = 0; round < 50; ++round) {
      AnswerReader reader;
      std::vector<std::string> pieces;
      for (std::size_t at = 0; at < document.size();) {
        const std::size_t size = round == 0 ? 1 : 1 + random() % 17;
        reader.push(std::string_view(document).substr(at, size));
        for (std::string& piece : drain(reader)) pieces.push_back(std::move(piece));
        at += size;
      }
      BOOST_REQUIRE(pieces == kExpected);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_piece_is_out_the_moment_its_last_brace_is_in) {
  const auto brace = kPlain.find(R"(},"sections")");
  AnswerReader reader;
  reader.push(std::string_view(kPlain).substr(0, brace));
  BOOST_TEST(drain(reader).empty());
  reader.push("}");
  BOOST_TEST(drain(reader).size() == 1u);
  BOOST_TEST(reader.has_begun());
  BOOST_TEST(!reader.is_closed());
}

BOOST_AUTO_TEST_CASE(names_are_compared_after_unescaping_and_order_does_not_matter) {
  BOOST_TEST(read_whole(R"({"\u0073ections":{"sec_\u0030\u0031":{}},"pl\u0061n":{}})") ==
                 (std::vector<std::string>{"open sec_01", "sec_01 {}", "plan {}"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_not_closed_is_not_a_piece) {
  AnswerReader reader;
  reader.push(kPlain.substr(0, kPlain.size() - 5));
  BOOST_TEST(drain(reader).size() == 4u);
  BOOST_TEST(!reader.is_closed());
}

BOOST_AUTO_TEST_CASE(prose_alone_never_begins) {
  AnswerReader reader;
  reader.push("I cannot help with {that}. {\"error\": \"no\"}");
  BOOST_TEST(!reader.has_begun());
  BOOST_TEST(!reader.is_closed());
}

BOOST_AUTO_TEST_CASE(broken_json_is_refused) {
  for (const char* text : {
           R"({"plan":{"a":1,}})",                       // trailing comma inside a slice
           R"({"plan":{"a":01}})",                       // not a number
           R"({"plan":{"a":1]})",                        // brackets
           R"({"plan":{},"plan":{}})",                   // twice
           R"({"sections":{"sec_01":{},"sec_01":{}}})",  // twice
           R"({"plan":{},"sections":{},})",              // between the slices
           R"({"plan":{"a":"\ud83d"}})",                 // lone surrogate
           "{\"plan\":{\"a\":\"\xff\"}}",                // not UTF-8
           R"({"plan":{"a":1e999}})",                    // not finite
       }) {
    AnswerReader reader;
    BOOST_CHECK_THROW(reader.push(text), gp::Error);
  }
}

BOOST_AUTO_TEST_CASE(a_section_that_does_not_parse_costs_none_of_the_others) {
  for (const std::string broken : {R"({"a":1,})", R"({"a":[1,2,]})", R"({"a":1,"a":2})",
                                   "{\"a\":\"line\nfeed\"}", R"({"a":})", R"({"a" 1})", R"({"a":"\u0000"})",
                                   R"({"a":"\ud83d"})", R"({"a":1e999})", R"({a:1})", "{\"a\":\"\xff\"}"}) {
    for (const std::string wrapping : {"", "```json\n", "{not} this: "}) {
      BOOST_TEST(read_whole(wrapping + R"({"plan":{},"sections":{"sec_01":)" + broken +
                            R"(,"sec_02":{"x":1},"sec_03":)" + broken + R"(,"sec_04":{"y":2}}})") ==
                     (std::vector<std::string>{"plan {}", "open sec_01", "sec_01 is broken", "open sec_02",
                                               R"(sec_02 {"x":1})", "open sec_03", "sec_03 is broken",
                                               "open sec_04", R"(sec_04 {"y":2})"}),
                 boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(the_problem_of_a_section_says_what_is_wrong_with_it) {
  AnswerReader reader;
  reader.push(R"({"plan":{},"sections":{"sec_01":{"a":1,"a":2}}})");
  for (int skipped = 0; skipped < 2; ++skipped) reader.next();  // plan, open
  const auto piece = reader.next();
  BOOST_REQUIRE(piece.has_value());
  BOOST_TEST(piece->section_id == "sec_01");
  BOOST_TEST(piece->value.is_null());
  BOOST_TEST(piece->problem.find("\"a\" appears twice") != std::string::npos, piece->problem);
}

BOOST_AUTO_TEST_CASE(pieces_before_a_fault_of_the_borders_are_kept) {
  AnswerReader reader;
  BOOST_CHECK_THROW(reader.push(R"({"plan":{},"sections":{"sec_01":{"ok":1},"sec_02":{"bad":]}}})"),
                    gp::Error);
  BOOST_TEST(drain(reader).size() == 4u);  // plan, open, sec_01, open
  AnswerReader broken_section;
  BOOST_CHECK_THROW(broken_section.push(R"({"plan":{},"sections":{"sec_01":{"a":1,}},})"), gp::Error);
  BOOST_TEST(drain(broken_section).size() == 3u);
}

BOOST_AUTO_TEST_CASE(size_and_depth_are_bounded) {
  AnswerReader deep;
  BOOST_CHECK_THROW(deep.push(R"({"plan":)" + std::string(100, '[')), gp::Error);
  AnswerReader long_one;
  long_one.push(R"({"plan":{"a":")");
  BOOST_CHECK_EXCEPTION(long_one.push(std::string(2 << 20, 'x')), gp::Error,
                        [](const gp::Error& error) { return error.kind() == gp::ErrorKind::kTooLarge; });
}

BOOST_AUTO_TEST_SUITE_END()
