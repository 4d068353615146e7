// The HTTP contract, status by status, through nginx.

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/e2e/on_stack.h"
#include "tests/support/exposition.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using support::Headers;
using support::Reply;
using support::start_body;

namespace {

struct Settings {
  Settings() { OnStack::settings = {{"NGINX_STREAMS", "3"}}; }  // what nginx lets through at once
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

Reply send(const std::string& method, const std::string& target, const std::string& body = {},
           const Headers& headers = {}) {
  return support::request(stack().port(), method, target, body, headers);
}

Reply post(const std::string& body, const std::string& type = "application/json") {
  return send("POST", "/start", body, {{"Content-Type", type}});
}

/// What every refusal has: RFC 9457's members, our code, one request id, CORS.
void check_problem(const Reply& reply, int status, const std::string& code) {
  BOOST_TEST_CONTEXT("expected " << status << " " << code << ", got " << reply.body) {
    BOOST_TEST(reply.status == status);
    BOOST_TEST(reply.header("content-type") == "application/problem+json");
    BOOST_TEST(reply.count("x-request-id") == 1);
    BOOST_TEST(reply.header("access-control-allow-origin") == "*");
    const Json problem = reply.json();
    BOOST_TEST(problem.at("status") == status);
    BOOST_TEST(problem.at("code") == code);
    BOOST_TEST(problem.at("instance") == "urn:request:" + reply.header("x-request-id"));
    for (const char* member : {"type", "title", "detail"}) BOOST_TEST(problem.contains(member));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http)

BOOST_AUTO_TEST_CASE(health_touches_nothing_and_answers) {
  const Reply reply = stack().get("/health");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.body == R"({"ok":true})");
  BOOST_TEST(reply.count("x-request-id") == 1);
}

BOOST_AUTO_TEST_CASE(metrics_are_those_of_every_process_in_the_format_of_prometheus) {
  const auto read = [] { return support::parse_exposition(stack().get("/metrics").body); };
  const std::string answered = R"(generate_project_requests_total{handler="health",class="2xx"})";
  const double before = support::sample(read(), answered);
  for (int i = 0; i < 5; ++i) stack().get("/health");
  const Reply reply = stack().get("/metrics");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  BOOST_TEST(reply.header("cache-control") == "no-store");
  BOOST_TEST(reply.count("x-request-id") == 1);
  const auto families = support::parse_exposition(reply.body);
  BOOST_TEST(support::sample(families, answered) >= before + 5);
  BOOST_TEST(support::sample(families, R"(generate_project_request_seconds_count{handler="health"})") >= 5);
  const std::string refused = R"(generate_project_requests_total{handler="events",class="4xx"})";
  BOOST_TEST(stack().get("/events/stream").status == 400);
  BOOST_TEST(stack().get("/events").status == 400);
  BOOST_TEST(support::sample(read(), refused) == support::sample(families, refused) + 2);
  for (const char* handler : {"start", "status", "health", "events", "worker"}) {
    BOOST_TEST(
        support::sample(families, fmt::format("generate_project_processes{{handler=\"{}\"}}", handler)) >= 1);
  }
  for (const auto& [family, type] : {std::pair{"streams_open", "gauge"},
                                     {"runs_taken_total", "counter"},
                                     {"request_seconds", "histogram"}}) {
    BOOST_TEST(families.at(fmt::format("generate_project_{}", family)).type == type);
  }
}

BOOST_AUTO_TEST_CASE(a_run_is_counted_from_its_beginning_to_its_end) {
  constexpr std::array kSeries = {"runs_taken_total", "runs_ended_total{outcome=\"complete\"}",
                                  "llm_calls_total", "steps_shipped_total"};
  const auto read = [&] {
    std::vector<double> values;
    const auto families = support::parse_exposition(stack().get("/metrics").body);
    for (const std::string series : kSeries)
      values.push_back(support::sample(families, "generate_project_" + series));
    return values;
  };
  const auto before = read();
  stack().follow(stack().start(start_body("http_metrics")));
  auto after = read();
  const auto is_counted = [&] { return std::ranges::equal(before, after, std::less<>()); };
  // The end of a run is seen before the worker has counted it.
  for (const auto deadline = gp::steady_now() + std::chrono::seconds(20);
       !is_counted() && gp::steady_now() < deadline;)
    after = read();
  for (std::size_t i = 0; i < kSeries.size(); ++i) BOOST_TEST(after[i] > before[i], kSeries[i]);
}

BOOST_AUTO_TEST_CASE(start_answers_202_then_200_with_the_same_run) {
  const Reply first = stack().post_start(start_body("http_start"));
  BOOST_TEST(first.status == 202);
  const auto run_id = first.json().at("run_id").get<std::string>();
  BOOST_TEST(gp::parse_run_id(run_id).has_value());
  BOOST_TEST(first.header("location") == "/events/stream?run_id=" + run_id);
  BOOST_TEST(first.json().size() == 1u);
  const Reply again = stack().post_start(start_body("http_start"));
  BOOST_TEST(again.status == 200);
  BOOST_TEST(again.json().at("run_id") == run_id);
  BOOST_TEST(again.header("location") == first.header("location"));
  BOOST_TEST(again.count("idempotent-request-differs") == 0);
  Json other = start_body("http_start");
  other["duration_min"] = 60;
  const Reply differs = stack().post_start(other);
  BOOST_TEST(differs.status == 200);
  BOOST_TEST(differs.header("idempotent-request-differs") == "true");
  stack().follow(run_id);
  BOOST_TEST(stack().post_start(start_body("http_start")).status == 200);  // complete: still the same
  BOOST_TEST(stack().status("http_start").at("meta").at("duration_min") == 45);
}

BOOST_AUTO_TEST_CASE(a_request_keeps_a_sound_id_of_its_client) {
  BOOST_TEST(stack().get("/health", {{"X-Request-ID", "abc.DEF-1"}}).header("x-request-id") == "abc.DEF-1");
  const std::string fresh = stack().get("/health", {{"X-Request-ID", "not sound\"<"}}).header("x-request-id");
  BOOST_TEST(fresh.size() == 32u);
  BOOST_TEST(stack().get("/nothing", {{"X-Request-ID", "mine"}}).header("x-request-id") == "mine");
}

BOOST_AUTO_TEST_CASE(the_id_of_a_request_is_found_in_a_log_whoever_has_answered_it) {
  const Headers named = {{"X-Request-ID", "find-me-77"}};
  const std::array targets = {"/nothing", "/status/nobody", "/events?run_id=x"};
  for (const char* target : targets) BOOST_TEST(stack().get(target, named).status >= 400);
  const auto lines = [&] {
    std::istringstream log(support::read_file(stack().folder() + "/state/nginx/access.log"));
    int count = 0;
    for (std::string line; std::getline(log, line);) count += line.ends_with(" find-me-77") ? 1 : 0;
    return count;
  };
  BOOST_TEST(support::wait_until([&] { return lines() == static_cast<int>(targets.size()); },
                                 std::chrono::seconds(5)));
}

BOOST_AUTO_TEST_CASE(a_request_for_events_as_large_as_nginx_takes_one_is_read) {
  const std::string digits(7'500, '1');
  const Reply stream = stack().get("/events/stream?run_id=x&padding=" + digits,
                                   {{"Last-Event-ID", digits}, {"Origin", "http://" + digits}});
  check_problem(stream, 400, "invalid_request");
}

BOOST_AUTO_TEST_CASE(a_body_that_is_not_json_is_refused) {
  check_problem(post("{\"topic\":"), 400, "bad_request");
  check_problem(post(""), 400, "bad_request");
  check_problem(post("{\"a\":1,\"a\":2}"), 400, "bad_request");
  check_problem(post(gp::dump_json(start_body("http_nul")) + std::string(1, '\0') + "{}"), 400,
                "bad_request");
  const Reply nul = post("{\"topic\":\"a\\u0000b\"}");
  check_problem(nul, 400, "bad_request");
  BOOST_TEST(nul.json().at("detail").get<std::string>().find("\"topic\"") != std::string::npos);
  check_problem(post("{}", "text/plain"), 415, "unsupported_media_type");
  check_problem(send("POST", "/start", "{}"), 415, "unsupported_media_type");
  for (const char* type : {"application/json; charset=utf-8", "Application/JSON ;charset=utf-8"})
    BOOST_TEST(post(gp::dump_json(start_body(std::string("http_charset_") + type[0])), type).status == 202);
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_refused_by_handler_and_nginx_alike) {
  Json body = start_body("http_large");
  body["padding"] = std::string(67'000, 'x');
  check_problem(stack().post_start(body), 413, "body_too_large");
  body["padding"] = std::string(200'000, 'x');
  check_problem(stack().post_start(body), 413, "body_too_large");
}

BOOST_AUTO_TEST_CASE(every_fault_of_a_request_is_named_at_once) {
  const Reply reply =
      post(R"({"project_id":"","group_size":9,"duration_min":"45","owner_email":"nobody","topic":" "})");
  check_problem(reply, 422, "invalid_request");
  std::vector<std::string> fields;
  const Json problem = reply.json();
  for (const Json& error : problem.at("errors")) {
    fields.push_back(error.at("field").get<std::string>());
    BOOST_TEST(!error.at("problem").get<std::string>().empty());
  }
  BOOST_TEST((fields == std::vector<std::string>{"project_id", "chat_id", "topic", "life_skill", "group_size",
                                                 "duration_min", "owner_email"}));
}

BOOST_AUTO_TEST_CASE(blocked_words_are_refused_in_english_and_arabic) {
  for (const char* topic : {"How to bet in a Casino", "حساب القِمار"}) {
    Json body = start_body("http_blocked");
    body["topic"] = topic;
    const Reply reply = stack().post_start(body);
    check_problem(reply, 422, "blocked_content");
    BOOST_TEST(reply.json().at("errors").at(0).at("field") == "topic");
  }
  BOOST_TEST(stack().get("/status/http_blocked").status == 404);
}

BOOST_AUTO_TEST_CASE(other_methods_are_refused_with_allow) {
  for (const auto& [method, target, allow] :
       {std::tuple{"GET", "/start", "POST, OPTIONS"}, std::tuple{"DELETE", "/status/p", "GET, HEAD, OPTIONS"},
        std::tuple{"POST", "/events/stream", "GET, HEAD, OPTIONS"},
        std::tuple{"PUT", "/health", "GET, HEAD, OPTIONS"},
        std::tuple{"GET", "/runs/6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10/cancel", "POST, OPTIONS"},
        std::tuple{"POST", "/metrics", "GET, HEAD, OPTIONS"}, std::tuple{"TRACE", "/start", "POST, OPTIONS"},
        std::tuple{"TRACE", "/runs/6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10/cancel?x", "POST, OPTIONS"},
        std::tuple{"TRACE", "/status/p", "GET, HEAD, OPTIONS"}, std::tuple{"TRACE", "/", "GET, HEAD"}}) {
    const Reply reply = send(method, target);
    check_problem(reply, 405, "method_not_allowed");
    BOOST_TEST(reply.header("allow") == allow);
  }
  for (const char* target : {"/events/stream", "/events"})
    check_problem(send("POST", target, std::string(60'000, 'x')), 405, "method_not_allowed");
  const Reply file = send("POST", "/index.html");
  check_problem(file, 405, "method_not_allowed");
  BOOST_TEST(file.header("allow") == "GET, HEAD");
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_is_404) {
  check_problem(stack().get("/nothing"), 404, "not_found");
  check_problem(stack().get("/status/"), 404, "not_found");
  check_problem(stack().get("/status/%FF"), 404, "not_found");
  check_problem(stack().get("/runs/6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10/x"), 404, "not_found");
  BOOST_TEST(stack().get("/status/unknown_project", {{"If-None-Match", "\"\xFF\""}}).status == 404);
  check_problem(stack().get("/status"), 404, "not_found");
  check_problem(stack().get("/runs"), 404, "not_found");
  check_problem(stack().get("/status/unknown_project"), 404, "project_not_found");
  check_problem(stack().get("/events/stream?run_id=6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"), 404,
                "run_not_found");
  check_problem(stack().get("/health/x"), 404, "not_found");
  check_problem(stack().get("/metrics/x"), 404, "not_found");
}

BOOST_AUTO_TEST_CASE(a_stream_needs_a_sound_run_id) {
  check_problem(stack().get("/events/stream"), 400, "invalid_request");
  check_problem(stack().get("/events/stream?run_id=7"), 400, "invalid_request");
}

BOOST_AUTO_TEST_CASE(more_streams_than_nginx_may_hold_are_refused_and_all_else_is_answered) {
  stack().set_rate("held_open", 1);  // a minute and more from the first event to the second
  const std::string run_id = stack().start(start_body("held_open"));
  const std::string target = "/events/stream?run_id=" + run_id;
  const std::string poll = "/events?run_id=" + run_id;
  BOOST_REQUIRE(stack().get(poll + "&wait=20").json().at("last_event_id") == 1);
  {
    std::vector<std::unique_ptr<support::EventStream>> open;
    for (int i = 0; i < 2; ++i)
      open.push_back(std::make_unique<support::EventStream>(stack().port(), target));
    for (const auto& stream : open) BOOST_TEST(stream->reply().status == 200);
    const std::jthread third([&] {
      while (stack().get(poll + "&after=1&wait=50").status != 200) continue;  // one of those below was faster
    });
    const auto is_full = [&] { return stack().get(poll).status == 503; };
    BOOST_REQUIRE(support::wait_until(is_full, std::chrono::seconds(10)));
    for (const std::string& wanted : {target, poll}) {
      const Reply refused = stack().get(wanted);
      check_problem(refused, 503, "too_many_streams");
      BOOST_TEST(!refused.header("retry-after").empty());
    }
    BOOST_TEST(stack().get("/health").status == 200);
    stack().set_rate("held_open", 5000);
  }
  const auto deadline = gp::steady_now() + std::chrono::seconds(20);
  while (support::EventStream(stack().port(), target).reply().status != 200 && gp::steady_now() < deadline)
    continue;
  BOOST_TEST(stack().follow(run_id).back().name == "run_completed");
}

BOOST_AUTO_TEST_CASE(events_are_polled_as_json_from_any_cursor_to_the_end) {
  const std::string run_id = stack().start(start_body("polled"));
  std::vector<std::string> names;
  std::int64_t after = 0;
  for (bool is_ended = false; !is_ended;) {
    const Reply reply = stack().get(fmt::format("/events?run_id={}&after={}&wait=20", run_id, after));
    BOOST_REQUIRE(reply.status == 200);
    BOOST_TEST(reply.header("content-type") == "application/json");
    const Json answer = reply.json();
    BOOST_TEST(answer.at("run_id") == run_id);
    for (const Json& event : answer.at("events")) {
      BOOST_TEST(event.at("id") == ++after);
      BOOST_TEST(event.at("data").at("run_id") == run_id);
      names.push_back(event.at("event").get<std::string>());
    }
    BOOST_TEST(answer.at("last_event_id") == after);
    is_ended = answer.at("ended").get<bool>();
  }
  BOOST_TEST(names.front() == "run_started");
  BOOST_TEST(names.back() == "run_completed");
  std::vector<std::string> streamed;
  for (const auto& event : stack().follow(run_id)) streamed.push_back(event.name);
  BOOST_TEST(names == streamed, boost::test_tools::per_element());

  check_problem(stack().get("/events?run_id=x&after=no&wait=99"), 400, "invalid_request");
  BOOST_TEST(stack().get("/events?run_id=x&after=no&wait=99").json().at("errors").size() == 3u);
  check_problem(stack().get("/events?run_id=6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"), 404, "run_not_found");
  check_problem(send("DELETE", "/events"), 405, "method_not_allowed");
  BOOST_TEST(send("HEAD", "/events?run_id=" + run_id).body.empty());
}

BOOST_AUTO_TEST_CASE(an_address_that_is_too_long_is_refused) {
  check_problem(stack().get("/status/" + std::string(20'000, 'x')), 414, "uri_too_long");
}

BOOST_AUTO_TEST_CASE(what_nginx_refuses_by_itself_is_a_problem_too) {
  BOOST_TEST(send("GET", "/index.html", {}, {{"Range", "bytes=999999-"}}).status == 200);
  check_problem(send("GET", "/index.html", {}, {{"If-Match", "\"x\""}}), 412, "precondition_failed");
  check_problem(send("GET", "/health", {}, {{"Transfer-Encoding", "unheard-of"}}), 501, "not_implemented");
  check_problem(send("GET", "/health", {}, {{"X", std::string(40'000, 'x')}}), 400, "bad_request");
}

BOOST_AUTO_TEST_CASE(a_proxy_before_nginx_is_told_not_to_buffer_a_stream) {
  const std::string run_id = stack().start(start_body("http_accel"));
  stack().follow(run_id);
  BOOST_TEST(stack().get("/events/stream?run_id=" + run_id).header("x-accel-buffering") == "no");
}

BOOST_AUTO_TEST_CASE(preflight_is_answered) {
  for (const char* target : {"/start", "/events/stream?run_id=x", "/status/p", "/health"}) {
    const Reply reply =
        send("OPTIONS", target, {},
             {{"Origin", "https://app.school.ae"}, {"Access-Control-Request-Method", "POST"}});
    BOOST_TEST(reply.status == 204);
    BOOST_TEST(reply.header("access-control-allow-origin") == "*");
    BOOST_TEST(reply.header("access-control-allow-headers").find("Last-Event-ID") != std::string::npos);
    BOOST_TEST(!reply.header("access-control-allow-methods").empty());
    BOOST_TEST(reply.count("x-request-id") == 1);
  }
}

BOOST_AUTO_TEST_CASE(head_is_get_without_its_body) {
  const std::string run_id = stack().start(start_body("http_head"));
  stack().follow(run_id);
  for (const std::string& target :
       {std::string("/health"), std::string("/metrics"), std::string("/status/http_head"),
        std::string("/index.html"), "/events/stream?run_id=" + run_id}) {
    const Reply head = send("HEAD", target);
    BOOST_TEST_CONTEXT(target) {
      BOOST_TEST(head.status == 200);
      BOOST_TEST(head.body.empty());
      BOOST_TEST(head.count("x-request-id") == 1);
    }
  }
  BOOST_TEST(send("HEAD", "/status/nobody").status == 404);
}

BOOST_AUTO_TEST_CASE(status_has_an_etag_and_304) {
  const std::string run_id = stack().start(start_body("http_etag"));
  stack().follow(run_id);
  const Reply full = stack().get("/status/http_etag");
  BOOST_TEST(full.status == 200);
  BOOST_TEST(full.header("content-type") == "application/json");
  const std::string tag = full.header("etag");
  BOOST_TEST(tag.starts_with("\""));
  for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    const Reply same = stack().get("/status/http_etag", {{"If-None-Match", known}});
    BOOST_TEST(same.status == 304, known);
    BOOST_TEST(same.body.empty());
    BOOST_TEST(same.header("etag") == tag);
  }
  BOOST_TEST(stack().get("/status/http_etag", {{"If-None-Match", "\"other\""}}).status == 200);
}

BOOST_AUTO_TEST_CASE(a_run_tells_how_it_is_getting_on_and_nothing_about_its_owner) {
  stack().set_rate("http_run", 300);
  const std::string run_id = stack().start(start_body("http_run"));
  {
    support::EventStream stream(stack().port(), "/events/stream?run_id=" + run_id);
    stream.next();
    const Json running = stack().get("/runs/" + run_id).json();
    BOOST_TEST(running.at("state") == "running");
    BOOST_TEST(running.at("model") == "simulated-gpt-5-mini");
    BOOST_TEST(running.at("finished_at").is_null());
  }
  stack().set_rate("http_run", 5000);
  const auto events = stack().follow(run_id);
  const Reply reply = stack().get("/runs/" + run_id);
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.header("content-type") == "application/json");
  const Json run = reply.json();
  BOOST_TEST(run.at("run_id") == run_id);
  BOOST_TEST(run.at("project_id") == "http_run");
  BOOST_TEST(run.at("state") == "complete");
  BOOST_TEST(run.at("attempt") == 1);
  BOOST_TEST(run.at("last_event_id") == events.back().id);
  BOOST_TEST(run.at("llm_calls") == 1);
  BOOST_TEST(run.at("tokens") == events.back().data.at("tokens"));
  BOOST_TEST(run.at("error").is_null());
  BOOST_TEST(run.at("finished_at").get<std::string>() >= run.at("started_at").get<std::string>());
  for (const char* secret : {"huda@school.ae", "Fractions", "Negotiation", "chat_http_run"})
    BOOST_TEST(reply.body.find(secret) == std::string::npos, secret);

  const std::string tag = reply.header("etag");
  for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    const Reply same = stack().get("/runs/" + run_id, {{"If-None-Match", known}});
    BOOST_TEST(same.status == 304, known);
    BOOST_TEST(same.body.empty());
  }
  BOOST_TEST(send("HEAD", "/runs/" + run_id).status == 200);
  check_problem(stack().get("/runs/7"), 400, "invalid_request");
  check_problem(stack().get("/runs/"), 404, "not_found");
  check_problem(stack().get("/runs/6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10"), 404, "run_not_found");
  BOOST_TEST(send("DELETE", "/runs/" + run_id).header("allow") == "GET, HEAD, OPTIONS");
}

BOOST_AUTO_TEST_CASE(ids_of_any_script_are_found_again) {
  Json body = start_body("http_script");
  body["project_id"] = "مشروع 1//2?";
  const Reply reply = stack().post_start(body);
  BOOST_TEST(reply.status == 202);
  stack().follow(reply.json().at("run_id").get<std::string>());
  for (const char* slashes : {"%2F%2F", "//"})
    BOOST_TEST(stack().get(fmt::format("/status/%D9%85%D8%B4%D8%B1%D9%88%D8%B9%201{}2%3F", slashes)).status ==
               200);
}

BOOST_AUTO_TEST_CASE(the_web_page_is_served) {
  const Reply page = stack().get("/");
  BOOST_TEST(page.status == 200);
  BOOST_TEST(page.header("content-type").starts_with("text/html"));
  BOOST_TEST(page.body.find("<form") != std::string::npos);
  BOOST_TEST(stack().get("/app.js").status == 200);
  BOOST_TEST(page.count("content-security-policy") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
