#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/http/cors.h"
#include "core/http/entity_tag.h"
#include "core/http/media_type.h"
#include "core/http/percent.h"
#include "core/http/problem.h"
#include "core/http/request.h"
#include "core/http/sse.h"

using gp::Error;
using gp::ErrorKind;
using gp::Json;
using gp::http::Cors;
using gp::http::Request;
using gp::http::Response;

namespace {

std::string header(const Response& response, const std::string& name) {
  for (const auto& [known, value] : response.headers) {
    if (known == name) return value;
  }
  return "none";
}

Request from(const std::string& origin) {
  Request request;
  request.headers = {{"origin", origin}};
  return request;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http)

BOOST_AUTO_TEST_CASE(a_query_is_decoded_and_its_first_value_counts) {
  Request request;
  request.query = "run_id=a%20b+c&empty=&run_id=other&flag&%72un=1&bad=%zz%4";
  BOOST_TEST(request.query_value("run_id").value() == "a b c");
  BOOST_TEST(request.query_value("empty").value() == "");
  BOOST_TEST(request.query_value("run").value() == "1");
  BOOST_TEST(request.query_value("bad").value() == "%zz%4");
  BOOST_TEST(!request.query_value("none").has_value());
  BOOST_TEST(gp::http::percent_decode("%D9%85+", false) == "\u0645+");
}

BOOST_AUTO_TEST_CASE(a_problem_has_the_members_of_rfc_9457_and_ours) {
  const Response response = gp::http::to_response(
      {422, "invalid_request", "Two faults.", {{"topic", "is required"}, {"group_size", "is 9"}}}, "id-1");
  BOOST_TEST(response.status == 422);
  BOOST_TEST(header(response, "Content-Type") == "application/problem+json");
  BOOST_TEST(header(response, "Retry-After") == "none");
  const Json body = gp::parse_json(response.body);
  BOOST_TEST(body.at("instance") == "urn:request:id-1");
  BOOST_TEST(body.at("errors").size() == 2u);
  BOOST_TEST(body.at("errors").at(1).at("field") == "group_size");
  for (const int status : {429, 503}) {
    BOOST_TEST(header(gp::http::to_response({status, "x", "y"}, "id"), "Retry-After") != "none");
  }
}

BOOST_AUTO_TEST_CASE(every_kind_of_error_has_one_status_and_a_bug_tells_nothing) {
  const auto status_of = [](ErrorKind kind) {
    return gp::http::problem_for(Error(kind, "inner words")).status;
  };
  BOOST_TEST(status_of(ErrorKind::kBadInput) == 400);
  BOOST_TEST(status_of(ErrorKind::kNotFound) == 404);
  BOOST_TEST(status_of(ErrorKind::kConflict) == 409);
  BOOST_TEST(status_of(ErrorKind::kTooLarge) == 413);
  BOOST_TEST(status_of(ErrorKind::kUnavailable) == 503);
  BOOST_TEST(status_of(ErrorKind::kInDoubt) == 503);
  BOOST_TEST(status_of(ErrorKind::kSchema) == 503);
  BOOST_TEST(gp::http::problem_for(Error(ErrorKind::kSchema, "inner words")).code == "schema_mismatch");
  BOOST_TEST(status_of(ErrorKind::kBug) == 500);
  for (const ErrorKind kind : {ErrorKind::kBug, ErrorKind::kUnavailable, ErrorKind::kInDoubt}) {
    BOOST_TEST(gp::http::problem_for(Error(kind, "inner words")).detail.find("inner words") ==
               std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(any_origin_is_allowed_by_a_star) {
  const Cors cors("*", "GET");
  Response response{200, {}, {}};
  cors.apply(from("https://a.ae"), response);
  BOOST_TEST(header(response, "Access-Control-Allow-Origin") == "*");
  BOOST_TEST(header(response, "Vary") == "none");
}

BOOST_AUTO_TEST_CASE(listed_origins_are_allowed_exactly) {
  const Cors cors("https://a.ae, https://b.ae", "GET");
  Response allowed{200, {}, {}};
  cors.apply(from("https://b.ae"), allowed);
  BOOST_TEST(header(allowed, "Access-Control-Allow-Origin") == "https://b.ae");
  BOOST_TEST(header(allowed, "Vary") == "Origin");
  for (const char* origin : {"https://b.ae.evil.com", "http://b.ae", "", "null"}) {
    Response refused{200, {}, {}};
    cors.apply(from(origin), refused);
    BOOST_TEST(header(refused, "Access-Control-Allow-Origin") == "none", origin);
    BOOST_TEST(header(refused, "Vary") == "Origin");
    BOOST_TEST(header(cors.preflight(from(origin)), "Access-Control-Allow-Methods") == "none");
  }
  BOOST_TEST(
      header(cors.preflight(from("https://a.ae")), "Access-Control-Allow-Headers").find("Last-Event-ID") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_entity_tag_is_compared_weakly_in_lists) {
  using gp::http::none_match_names;
  for (const char* list : {"\"a\"", "W/\"a\"", "\"x\", \"a\"", "\"x\",W/\"a\" ", "*"}) {
    BOOST_TEST(none_match_names(list, "\"a\""), list);
  }
  for (const char* list : {"", "\"b\"", "a", "\"a", "\"aa\""})
    BOOST_TEST(!none_match_names(list, "\"a\""), list);
}

BOOST_AUTO_TEST_CASE(frames_of_a_stream_have_one_line_feed_where_one_is_due) {
  namespace sse = gp::http::sse;
  BOOST_TEST(sse::event(7, "run_started", "{\"a\":1}") == "id: 7\nevent: run_started\ndata: {\"a\":1}\n\n");
  BOOST_TEST(sse::comment("ka") == ": ka\n");
  BOOST_TEST(sse::retry(std::chrono::milliseconds(2500)) == "retry: 2500\n");
  BOOST_CHECK_THROW(sse::event(1, "x", "a\nb"), Error);
  BOOST_CHECK_THROW(sse::event(1, "x", "a\rb"), Error);
}

BOOST_AUTO_TEST_CASE(json_is_known_by_its_media_type_in_any_case) {
  for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                           "application/json ;charset=utf-8", "application/problem+json"})
    BOOST_TEST(gp::http::is_json(type), type);
  for (const char* type :
       {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json", "text/x+json"})
    BOOST_TEST(!gp::http::is_json(type), type);
}

BOOST_AUTO_TEST_SUITE_END()
