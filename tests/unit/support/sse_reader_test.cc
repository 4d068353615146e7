// The event stream reader: the rules of WHATWG HTML 9.2, whatever the pieces are that the bytes come in.

#include "tests/support/sse_reader.h"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using support::SseReader;

namespace {

struct Read {
  std::vector<std::string> events;  ///< "id/name/data"
  SseReader reader;

  void feed(std::string_view bytes) {
    while (reader.next(bytes)) {
      events.push_back((reader.id() ? std::to_string(*reader.id()) : "-") + "/" + std::string(reader.name()) +
                       "/" + std::string(reader.data()));
    }
  }
};

const std::string kStream =
    "\xEF\xBB\xBFretry: 250\nid: 1\nevent: run_started\ndata: {\"a\":1}\n\n"
    ": a comment\n"
    "id: 2\r\nevent: plan_completed\r\ndata: two\r\n\r\n"
    "id:3\rdata: three\rdata:\rdata: lines\r\r"
    "event: nothing is dispatched without data\n\n"
    "data\n\n"
    "id: x\ndata: no number\n\n"
    "unknown: field\ndata:  kept space\n\n"
    "data: unfinished";
const std::vector<std::string> kEvents = {
    "1/run_started/{\"a\":1}", "2/plan_completed/two", "3//three\n\nlines", "-//", "-//no number",
    "-// kept space"};

}  // namespace

BOOST_AUTO_TEST_CASE(a_stream_is_read_alike_in_pieces_of_any_size) {
  for (std::size_t size = 1; size <= kStream.size(); ++size) {
    Read read;
    for (std::size_t at = 0; at < kStream.size(); at += size) {
      const std::string piece = kStream.substr(at, size);  // gone afterwards: nothing may point into it
      read.feed(piece);
    }
    BOOST_TEST_CONTEXT("pieces of " << size) {
      BOOST_TEST(read.events == kEvents, boost::test_tools::per_element());
      BOOST_TEST((read.reader.retry() == std::chrono::milliseconds(250)));
      BOOST_TEST(read.reader.comments() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_cut_response_left_unfinished_is_forgotten) {
  Read read;
  read.feed("id: 1\nevent: section_started\ndata: half a li");
  read.reader.restart();
  read.feed("id: 1\ndata: whole\n\n");
  BOOST_TEST(read.events == std::vector<std::string>{"1//whole"}, boost::test_tools::per_element());
}
