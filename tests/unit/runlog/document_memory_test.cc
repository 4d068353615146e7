#include "core/runlog/document_memory.h"

#include <boost/test/unit_test.hpp>

using gp::ProjectId;
using gp::runlog::DocumentMemory;

namespace {

DocumentMemory::Entry entry(const std::string& version, std::size_t bytes) {
  return {version, {"\"tag\"", std::string(bytes, 'x')}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(document_memory)

BOOST_AUTO_TEST_CASE(the_least_recently_used_documents_make_room) {
  DocumentMemory memory(10'000);
  for (const char* id : {"a", "b", "c"}) memory.keep(ProjectId(id), entry("1", 2'500));
  BOOST_TEST(memory.find(ProjectId("a")) != nullptr);
  memory.keep(ProjectId("d"), entry("1", 2'500));
  BOOST_TEST(memory.find(ProjectId("b")) == nullptr);
  for (const char* id : {"a", "c", "d"}) BOOST_TEST(memory.find(ProjectId(id)) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_document_has_one_version_and_can_be_forgotten) {
  DocumentMemory memory(10'000);
  memory.keep(ProjectId("a"), entry("1", 100));
  memory.keep(ProjectId("a"), entry("2", 200));
  BOOST_REQUIRE(memory.find(ProjectId("a")) != nullptr);
  BOOST_TEST(memory.find(ProjectId("a"))->version == "2");
  memory.forget(ProjectId("a"));
  memory.forget(ProjectId("a"));
  BOOST_TEST(memory.find(ProjectId("a")) == nullptr);
}

BOOST_AUTO_TEST_CASE(one_that_is_larger_than_all_room_is_not_kept_and_what_was_there_is_gone) {
  DocumentMemory memory(10'000);
  memory.keep(ProjectId("a"), entry("1", 100));
  memory.keep(ProjectId("b"), entry("1", 20'000));
  BOOST_TEST(memory.find(ProjectId("b")) == nullptr);
  memory.clear();
  BOOST_TEST(memory.find(ProjectId("a")) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
