#include "core/project/start_request.h"

#include <algorithm>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using gp::Fault;
using gp::Json;
using gp::project::parse_start_request;
using gp::project::StartRequest;

namespace {

Json sound_body() {
  return {{"project_id", "proj_123"},          {"chat_id", "chat_456"}, {"topic", "Fractions"},
          {"life_skill", "Problem Solving"},   {"group_size", 3},       {"duration_min", 45},
          {"owner_email", "teacher@school.ae"}};
}

std::vector<std::string> faulty_fields(const Json& body) {
  const auto parsed = parse_start_request(body);
  std::vector<std::string> fields;
  if (const auto* faults = std::get_if<std::vector<Fault>>(&parsed)) {
    for (const Fault& fault : *faults) fields.push_back(fault.field);
  }
  return fields;
}

using Fields = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(start_request)

BOOST_AUTO_TEST_CASE(the_body_of_the_integration_example_is_sound_without_a_title) {
  const auto parsed = parse_start_request(sound_body());
  BOOST_REQUIRE(std::holds_alternative<StartRequest>(parsed));
  const auto& request = std::get<StartRequest>(parsed);
  BOOST_TEST(request.title.empty());
  BOOST_TEST(request.grade_band == "6-8");
  BOOST_TEST(request.uae_context);
  BOOST_TEST(request.group_size == 3);
}

BOOST_AUTO_TEST_CASE(every_fault_is_told_at_once) {
  const Json body = {
      {"project_id", ""}, {"topic", 7}, {"group_size", 9}, {"duration_min", 9.5}, {"owner_email", "x"}};
  BOOST_TEST((faulty_fields(body) == Fields{"project_id", "chat_id", "topic", "life_skill", "group_size",
                                            "duration_min", "owner_email"}));
}

BOOST_AUTO_TEST_CASE(limits_hold_at_both_ends) {
  const auto with = [](const char* name, const Json& value) {
    Json body = sound_body();
    body[name] = value;
    return faulty_fields(body);
  };
  BOOST_TEST(with("group_size", 1).empty());
  BOOST_TEST(with("group_size", 8).empty());
  BOOST_TEST((with("group_size", 0) == Fields{"group_size"}));
  BOOST_TEST((with("group_size", "3") == Fields{"group_size"}));
  BOOST_TEST((with("group_size", 1e300) == Fields{"group_size"}));
  BOOST_TEST(with("duration_min", 10).empty());
  BOOST_TEST(with("duration_min", 240.0).empty());
  BOOST_TEST((with("duration_min", 241) == Fields{"duration_min"}));
  BOOST_TEST(with("topic", std::string(200, 'a')).empty());
  BOOST_TEST((with("topic", std::string(201, 'a')) == Fields{"topic"}));
  BOOST_TEST((with("topic", "  ") == Fields{"topic"}));
  BOOST_TEST((with("topic", "a\nb") == Fields{"topic"}));
  BOOST_TEST((with("topic", "a\u202Eb") == Fields{"topic"}));
  BOOST_TEST((with("project_id", std::string(129, 'a')) == Fields{"project_id"}));
  BOOST_TEST((with("grade_band", "8-6") == Fields{"grade_band"}));
  BOOST_TEST(with("grade_band", "7").empty());
  BOOST_TEST((with("uae_context", "yes") == Fields{"uae_context"}));
  BOOST_TEST(with("unknown", 1).empty());
}

BOOST_AUTO_TEST_CASE(a_project_id_that_no_path_can_name_is_refused) {
  const auto faults = [](const char* name, const char* id) {
    Json body = sound_body();
    body[name] = id;
    return faulty_fields(body);
  };
  for (const char* id : {".", "..", " .. ", "./a", "../a", "a/.", "a/..", "a/../b", "a/./b", "/..", "a//../"})
    BOOST_TEST((faults("project_id", id) == Fields{"project_id"}), id);
  for (const char* id : {"...", "a.b", ".a", "a..", "a/.b/c", "a/b", "..a/b..", "%2e%2e", "/"})
    BOOST_TEST(faults("project_id", id).empty(), id);
  BOOST_TEST(faults("chat_id", "..").empty());  // no path holds it
}

BOOST_AUTO_TEST_CASE(only_an_address_is_an_address) {
  const auto accepts = [](const char* address) {
    Json body = sound_body();
    body["owner_email"] = address;
    return faulty_fields(body).empty();
  };
  for (const char* address : {"a@b.ae", "huda.ali+x@mail.school.ae", "معلم@مدرسة.امارات"})
    BOOST_TEST(accepts(address));
  for (const char* address : {"a@b", "@b.ae", "a b@c.ae", "a@@b.ae", "a@b..ae", "a@-b.ae", "a@b.ae>"}) {
    BOOST_TEST(!accepts(address), address);
  }
}

BOOST_AUTO_TEST_CASE(a_body_that_is_no_object_is_one_fault) {
  BOOST_TEST((faulty_fields(Json::array()) == Fields{""}));
}

BOOST_AUTO_TEST_CASE(what_is_stored_can_be_read_back_and_holds_no_address) {
  const auto request = std::get<StartRequest>(parse_start_request(sound_body()));
  const Json stored = to_json(request);
  BOOST_TEST(gp::dump_json(stored).find("teacher@") == std::string::npos);
  const auto restored = gp::project::restore_start_request(stored, request.owner_email);
  BOOST_TEST(gp::dump_json(to_json(restored)) == gp::dump_json(stored));
  BOOST_TEST(gp::project::redacted_email(restored.owner_email) == "redacted@school.ae");
  BOOST_CHECK_THROW(gp::project::restore_start_request({{"project_id", 1}}, gp::Secret("")), gp::Error);
}

BOOST_AUTO_TEST_SUITE_END()
