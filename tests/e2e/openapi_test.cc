// openapi.json against the service: what it describes is served, and what is served is as it says.

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/base/ids.h"
#include "tests/e2e/on_stack.h"

using e2e::stack;
using gp::Json;
using support::Headers;
using support::Reply;
using support::start_body;

namespace {

constexpr const char* kNobody = "6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10";

const Json& description() {
  static const Json read = stack().get("/openapi.json").json();
  return read;
}

gp::project::JsonSchema schema_of(const Json& schema) {
  return gp::project::JsonSchema(
      {{"allOf", Json::array({schema})}, {"components", description().at("components")}});
}

void check_valid(const Json& schema, const Json& value) {
  for (const gp::Fault& fault : schema_of(schema).check(value))
    BOOST_ERROR(fault.field + " " + fault.problem + " in " + gp::dump_json(value));
}

/// One request and the operation that describes its answer.
struct Exchange {
  std::string path;  ///< as in the description: "/runs/{run_id}"
  std::string method;
  Reply reply;
};

Exchange exchange(const std::string& path, const std::string& method, const std::string& target,
                  const std::string& body = {}, const Headers& headers = {}) {
  return {path, method, support::request(stack().port(), method, target, body, headers)};
}

Exchange start(const std::string& body, const std::string& type = "application/json") {
  return exchange("/start", "POST", "/start", body, {{"Content-Type", type}});
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const Json& operation_of(const Exchange& done) {
  return description().at("paths").at(done.path).at(lower(done.method));
}

/// The answer's status is described, and its body has the type and the shape that it should have.
void check_described(const Exchange& done) {
  BOOST_TEST_CONTEXT(done.method << " " << done.path << " " << done.reply.status << " " << done.reply.body) {
    const Json& responses = operation_of(done).at("responses");
    BOOST_REQUIRE(responses.contains(std::to_string(done.reply.status)));
    const Json& response = responses.at(std::to_string(done.reply.status));
    if (!response.contains("content")) {
      BOOST_TEST(done.reply.body.empty());
      return;
    }
    const std::string type = done.reply.header("content-type");
    const std::string essence = type.substr(0, type.find(';'));
    BOOST_REQUIRE(response.at("content").contains(essence));
    if (essence.ends_with("json"))
      check_valid(response.at("content").at(essence).at("schema"), done.reply.json());
  }
}

/// A finished run for the requests that need one.
const std::string& finished_run() {
  static const std::string run_id = [] {
    std::string started = stack().start(start_body("described"));
    stack().follow(started);
    return started;
  }();
  return run_id;
}

/// A run whose events are older than the retention. It was never served here: no cache has them either.
std::string pruned_run() {
  std::string run_id = gp::make_uuid();
  support::run_or_throw(fmt::format(
      "psql -q '{}' -c \"INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email, "
      "state, "
      "finished_at, events_pruned_at) VALUES ('{}', 'described_pruned', '{}', '{{}}', '', 'complete', now(), "
      "now())\"",
      stack().database_url(), run_id, run_id));
  return run_id;
}

std::vector<Exchange> good_exchanges() {
  const std::string& run_id = finished_run();
  const std::string tag = stack().get("/status/described").header("etag");
  const std::string run_tag = stack().get("/runs/" + run_id).header("etag");
  return {
      start(gp::dump_json(start_body("described_new"))),
      start(gp::dump_json(start_body("described"))),
      exchange("/events/stream", "GET", "/events/stream?run_id=" + run_id),
      exchange("/events/stream", "GET", "/events/stream?run_id=" + run_id, {}, {{"Last-Event-ID", "9"}}),
      exchange("/events", "GET", "/events?run_id=" + run_id),
      exchange("/status/{project_id}", "GET", "/status/described"),
      exchange("/status/{project_id}", "GET", "/status/described", {}, {{"If-None-Match", tag}}),
      exchange("/runs/{run_id}", "GET", "/runs/" + run_id),
      exchange("/runs/{run_id}", "GET", "/runs/" + run_id, {}, {{"If-None-Match", run_tag}}),
      exchange("/runs/{run_id}/cancel", "POST", "/runs/" + run_id + "/cancel"),
      exchange("/health", "GET", "/health"),
      exchange("/health/ready", "GET", "/health/ready"),
      exchange("/metrics", "GET", "/metrics"),
      exchange("/openapi.json", "GET", "/openapi.json"),
      exchange("/", "GET", "/"),
  };
}

std::vector<Exchange> refused_exchanges() {
  const std::string pruned = pruned_run();
  Json large = start_body("described_large");
  large["padding"] = std::string(67'000, 'x');
  Json blocked = start_body("described_blocked");
  blocked["topic"] = "How to bet in a casino";
  return {
      start("{"),
      start(gp::dump_json(large)),
      start("{}", "text/plain"),
      start("{}"),
      start(gp::dump_json(blocked)),
      exchange("/events/stream", "GET", "/events/stream?run_id=7"),
      exchange("/events/stream", "GET", fmt::format("/events/stream?run_id={}", kNobody)),
      exchange("/events/stream", "GET", "/events/stream?run_id=" + pruned),
      exchange("/events", "GET", "/events?run_id=7&wait=no"),
      exchange("/events", "GET", fmt::format("/events?run_id={}", kNobody)),
      exchange("/events", "GET", "/events?run_id=" + pruned),
      exchange("/status/{project_id}", "GET", "/status/nobody"),
      exchange("/runs/{run_id}", "GET", "/runs/7"),
      exchange("/runs/{run_id}", "GET", fmt::format("/runs/{}", kNobody)),
      exchange("/runs/{run_id}/cancel", "POST", "/runs/7/cancel"),
      exchange("/runs/{run_id}/cancel", "POST", fmt::format("/runs/{}/cancel", kNobody)),
  };
}

/// A location of nginx's site: what is served.
struct Location {
  enum class Kind { kExact, kPattern, kPrefix };
  Kind kind = Kind::kPrefix;
  std::string text;
};

std::vector<Location> locations_of_the_site() {
  std::ifstream site(std::string(GP_SOURCE_DIR) + "/nginx/generate-project.conf.in");
  const std::regex line_of_location(R"(\s*location (= |~ |)(\S+) \{)");
  std::vector<Location> locations;
  std::smatch found;
  for (std::string line; std::getline(site, line);) {
    if (!std::regex_match(line, found, line_of_location)) continue;
    auto kind = Location::Kind::kPrefix;
    if (found[1] == "= ") kind = Location::Kind::kExact;
    if (found[1] == "~ ") kind = Location::Kind::kPattern;
    locations.push_back({kind, found[2]});
  }
  return locations;
}

bool takes(const Location& location, const std::string& path) {
  if (location.kind == Location::Kind::kExact) return path == location.text;
  if (location.kind == Location::Kind::kPrefix) return path.starts_with(location.text);
  return std::regex_search(path, std::regex(location.text));
}

/// The one that nginx chooses: an exact one, else the first pattern, else the longest prefix.
const Location& location_for(const std::vector<Location>& locations, const std::string& path) {
  const auto rank = [&](const Location& location) {
    return takes(location, path) ? std::pair(2 - static_cast<int>(location.kind), location.text.size())
                                 : std::pair(-1, std::size_t{0});
  };
  return *std::ranges::max_element(locations, {}, rank);
}

/// The locations that serve no path of the description.
std::vector<std::string> undescribed(const std::set<std::string>& paths) {
  const auto locations = locations_of_the_site();
  std::set<std::string> described;
  for (const std::string& path : paths) described.insert(location_for(locations, path).text);
  std::vector<std::string> missing;
  for (const Location& location : locations)
    if (!described.contains(location.text)) missing.push_back(location.text);
  return missing;
}

/// Codes that need more than a request, and the cases that show them.
const std::map<std::string, std::string> kShownElsewhere = {
    {"queue_full", "limits/a_full_queue_refuses_new_runs_and_still_answers_for_those_it_has"},
    {"too_many_streams", "http/more_streams_than_nginx_may_hold_are_refused_and_all_else_is_answered"},
    {"database_unavailable", "outage/a_database_that_goes_away_in_the_middle_costs_nothing"},
    {"service_unavailable", "outage/a_pool_that_is_gone_is_a_clear_answer_and_no_end_for_streams"},
    {"precondition_failed", "http/what_nginx_refuses_by_itself_is_a_problem_too"},
    {"not_implemented", "http/what_nginx_refuses_by_itself_is_a_problem_too"},
    {"http_version_not_supported", "nowhere: the tests speak HTTP/1.1"},
    {"schema_mismatch", "unit_http: every kind of error has one status"},
    {"forbidden", "nowhere: /metrics is open to this host"},
    {"internal", "unit_process: an exception of ours becomes a 500"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(openapi)

BOOST_AUTO_TEST_CASE(the_description_is_served_to_every_origin) {
  const Reply reply = stack().get("/openapi.json");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.header("content-type") == "application/json");
  BOOST_TEST(reply.header("access-control-allow-origin") == "*");
  BOOST_TEST(reply.count("x-request-id") == 1);
  BOOST_TEST(description().at("openapi") == "3.1.0");
}

BOOST_AUTO_TEST_CASE(every_route_that_is_described_is_served_and_its_answers_are_as_described) {
  std::set<std::string> served;
  for (const Exchange& done : good_exchanges()) {
    BOOST_TEST(done.reply.status < 400, done.path << " " << done.reply.status);
    check_described(done);
    served.insert(done.path + " " + lower(done.method));
  }
  for (const auto& [path, methods] : description().at("paths").items()) {
    for (const auto& [method, operation] : methods.items())
      BOOST_TEST(served.contains(fmt::format("{} {}", path, method)), path << " " << method);
  }
}

BOOST_AUTO_TEST_CASE(every_location_of_nginx_is_described_and_a_path_that_is_left_out_is_found) {
  std::set<std::string> paths;
  for (const auto& [path, methods] : description().at("paths").items()) paths.insert(path);
  BOOST_TEST(locations_of_the_site().size() == paths.size());
  BOOST_TEST(undescribed(paths) == std::vector<std::string>(), boost::test_tools::per_element());
  for (const std::string& left_out : paths) {
    auto others = paths;
    others.erase(left_out);
    BOOST_TEST(undescribed(others).size() == 1u, left_out);
  }
}

BOOST_AUTO_TEST_CASE(every_problem_is_described_and_every_described_code_is_served) {
  std::set<std::string> codes;
  for (const Exchange& done : refused_exchanges()) {
    BOOST_TEST(done.reply.status >= 400, done.path << " " << done.reply.status);
    check_described(done);
    codes.insert(done.reply.json().at("code").get<std::string>());
  }
  for (const Reply& reply : {stack().get("/nothing"), stack().get("/status/" + std::string(20'000, 'x')),
                             support::request(stack().port(), "PUT", "/runs/7")}) {
    check_valid({{"$ref", "#/components/schemas/Problem"}}, reply.json());
    codes.insert(reply.json().at("code").get<std::string>());
  }
  for (const Json& code : description().at("components").at("schemas").at("ProblemCode").at("enum")) {
    const auto name = code.get<std::string>();
    BOOST_TEST(codes.contains(name) != kShownElsewhere.contains(name), name);
  }
}

BOOST_AUTO_TEST_CASE(the_examples_and_the_events_of_a_run_are_as_described) {
  for (const auto& [path, methods] : description().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::vector<Json> contents;
      if (operation.contains("requestBody")) contents.push_back(operation.at("requestBody").at("content"));
      for (const auto& [status, response] : operation.at("responses").items())
        if (response.contains("content")) contents.push_back(response.at("content"));
      for (const Json& content : contents) {
        for (const auto& [type, media] : content.items())
          if (media.contains("example")) check_valid(media.at("schema"), media.at("example"));
      }
    }
  }
  for (const auto& event : stack().follow(finished_run()))
    check_valid({{"$ref", "#/components/schemas/Event_" + event.name}}, event.data);
}

BOOST_AUTO_TEST_CASE(the_schema_of_the_document_is_the_one_it_is_made_by) {
  Json schema = gp::project::project_schema();
  schema.erase("$schema");
  std::string text = gp::dump_json(schema);
  const std::string from = "#/definitions/";
  const std::string to = "#/components/schemas/Project/definitions/";
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  BOOST_TEST(gp::dump_json(description().at("components").at("schemas").at("Project")) == text);
}

BOOST_AUTO_TEST_SUITE_END()
