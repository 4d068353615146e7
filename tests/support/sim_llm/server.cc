#include "tests/support/sim_llm/server.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <random>
#include <stdexcept>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/support/sim_llm/schema_writer.h"

namespace sim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::awaitable;
using gp::Json;
using std::chrono::milliseconds;

namespace {

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kTick{20};
constexpr milliseconds kLongestWait{100};  ///< for the next chunk, before a change of the rate is seen
constexpr milliseconds kLongestSilence{600'000};

awaitable<void> wait(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(kUse);
}

http::response<http::string_body> json_answer(unsigned status, const Json& body) {
  http::response<http::string_body> response{http::int_to_status(status), 11};
  response.set(http::field::content_type, "application/json");
  response.body() = body.dump();
  return response;
}

http::response<http::string_body> error_answer(unsigned status, const std::string& type,
                                               const std::string& code, const std::string& message,
                                               const Json& param = nullptr) {
  return json_answer(status,
                     {{"error", {{"message", message}, {"type", type}, {"param", param}, {"code", code}}}});
}

/// The answer of a fault that acts before any stream; nothing where it acts later.
std::optional<http::response<http::string_body>> http_fault(const Fault& fault, const std::string& model) {
  std::optional<http::response<http::string_body>> answer;
  if (fault.fault == "rate_limit") {
    answer = error_answer(429, "requests", "rate_limit_exceeded", "Rate limit reached for requests");
  } else if (fault.fault == "quota") {
    answer = error_answer(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota");
  } else if (fault.fault == "server_error") {
    answer = error_answer(500, "server_error", "server_error",
                          "The server had an error while processing your request");
  } else if (fault.fault == "overloaded") {
    answer = error_answer(503, "service_unavailable_error", "server_is_overloaded",
                          "The engine is currently overloaded");
  } else if (fault.fault == "model_not_found") {
    answer = error_answer(404, "invalid_request_error", "model_not_found",
                          fmt::format("The model '{}' does not exist", model));
  } else if (fault.fault == "unsupported_parameter") {
    answer = error_answer(
        400, "invalid_request_error", "unsupported_parameter",
        fmt::format("Unsupported parameter: '{}' is not supported with this model.", fault.parameter),
        fault.parameter);
  } else if (fault.fault == "bad_key") {
    answer = error_answer(401, "invalid_request_error", "invalid_api_key",
                          "Incorrect API key provided: sk-bad-key-echoed");
  } else if (fault.fault == "html_502") {
    answer = http::response<http::string_body>{http::status::bad_gateway, 11};
    answer->set(http::field::content_type, "text/html");
    answer->body() = "<html><head><title>502 Bad Gateway</title></head></html>";
  }
  if (answer && fault.retry_after_s > 0) {
    answer->set(http::field::retry_after, std::to_string(static_cast<int>(std::ceil(fault.retry_after_s))));
    answer->set("retry-after-ms", std::to_string(static_cast<int>(fault.retry_after_s * 1000)));
  }
  return answer;
}

/// What a provider refuses about a call's body, or nothing.
std::optional<http::response<http::string_body>> refuse(const http::request<http::string_body>& request,
                                                        const Json& body) {
  if (request[http::field::authorization].empty()) {
    return error_answer(401, "invalid_request_error", "missing_api_key", "You didn't provide an API key.");
  }
  if (!body.is_object() || !body.contains("messages") || !body.at("messages").is_array() ||
      body.at("messages").empty()) {
    return error_answer(400, "invalid_request_error", "missing_required_parameter",
                        "Missing required parameter: 'messages'.", "messages");
  }
  const auto model = body.value("model", std::string());
  if (model.empty() || model.starts_with("missing-")) {
    return error_answer(404, "invalid_request_error", "model_not_found",
                        fmt::format("The model '{}' does not exist", model));
  }
  const Json::json_pointer schema("/response_format/json_schema/schema");
  const Json::json_pointer strict("/response_format/json_schema/strict");
  if (body.contains(schema) && body.contains(strict) && body.at(strict) == true) {
    if (const std::string fault = strict_fault(body.at(schema)); !fault.empty()) {
      return error_answer(400, "invalid_request_error", "invalid_json_schema",
                          "Invalid schema for response_format: " + fault, "response_format");
    }
  }
  return std::nullopt;
}

bool is_gone(beast::tcp_stream& stream) {
  char byte = 0;
  const auto got = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

awaitable<void> stay_silent(beast::tcp_stream& stream) {
  for (milliseconds waited{0}; waited < kLongestSilence && !is_gone(stream); waited += kTick)
    co_await wait(kTick);
}

std::string now_text() { return gp::format_rfc3339(gp::wall_now()); }

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(gp::steady_now().time_since_epoch()).count();
}

/// How much faster than its rate a call is: the same for the same call number and seed.
double pace_of(std::uint64_t seed, std::size_t call, double spread) {
  std::mt19937_64 random(seed * 1'000'003 + call);
  return 1 + spread * (static_cast<double>(random() % 2001) / 1000 - 1);
}

milliseconds time_for(double tokens, double rate) {
  return std::clamp(milliseconds(static_cast<milliseconds::rep>(std::ceil(1000 * tokens / rate))), kTick,
                    kLongestWait);
}

}  // namespace

Server::Server(Options options) : options_(std::move(options)) {
  for (const Fault& fault : options_.faults) faults_.add(fault);
  if (!options_.journal_path.empty()) journal_file_.open(options_.journal_path, std::ios::app);
}

awaitable<void> Server::serve(asio::ip::tcp::socket socket) {
  socket.set_option(asio::ip::tcp::no_delay(true));
  Tcp stream(std::move(socket));
  beast::flat_buffer buffer;
  for (bool goes_on = true; goes_on;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(4 << 20);
    const auto [fault, size] = co_await http::async_read(stream, buffer, parser, kUse);
    if (fault) break;
    goes_on = co_await answer(stream, parser.get());
  }
  beast::error_code ignored;
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
}

awaitable<bool> Server::answer(Tcp& stream, const Request& request) {
  const std::string target(request.target());
  if (request.method() == http::verb::post && target.ends_with("/chat/completions"))
    co_return co_await complete(stream, request);
  Response response = control(request);
  response.keep_alive(request.keep_alive());
  response.prepare_payload();
  const auto [fault, size] = co_await http::async_write(stream, response, kUse);
  co_return !fault && request.keep_alive();
}

Server::Response Server::control(const Request& request) {
  const std::string target(request.target());
  const bool is_get = request.method() == http::verb::get;
  try {
    if (is_get && target.ends_with("/models")) {
      return json_answer(200, {{"object", "list"},
                               {"data", Json::array({{{"id", "simulated-gpt-5-mini"},
                                                      {"object", "model"},
                                                      {"created", 0},
                                                      {"owned_by", "tests"}}})}});
    }
    if (is_get && target.find("/models/simulated-") != std::string::npos) {
      return json_answer(200, {{"id", target.substr(target.rfind('/') + 1)},
                               {"object", "model"},
                               {"created", 0},
                               {"owned_by", "tests"}});
    }
    if (is_get && target.find("/models/") != std::string::npos)
      return error_answer(404, "invalid_request_error", "model_not_found", "The model does not exist");
    if (is_get && target == "/control/health") return json_answer(200, {{"ok", true}, {"calls", calls_}});
    if (target == "/control/journal") {
      if (request.method() == http::verb::delete_) journal_ = Json::array();
      return json_answer(200, journal_);
    }
    if (target == "/control/faults" && request.method() == http::verb::post) {
      faults_.add(Fault::from(gp::parse_json(request.body())));
      return json_answer(200, {{"ok", true}});
    }
    if (target == "/control/faults" && request.method() == http::verb::delete_) {
      faults_.clear();
      return json_answer(200, {{"ok", true}});
    }
    if (target == "/control/rate" && request.method() == http::verb::put) {
      const Json rate = gp::parse_json(request.body());
      rates_.push_back({rate.value("match", std::string()), rate.at("tokens_per_second").get<double>()});
      return json_answer(200, {{"ok", true}});
    }
  } catch (const std::exception& error) {
    return json_answer(422, {{"error", error.what()}});
  }
  return error_answer(404, "invalid_request_error", "unknown_url", "Unknown request URL");
}

double Server::rate_for(const std::string& text) const {
  double rate = options_.tokens_per_second;
  for (const Rate& each : rates_) {
    if (text.find(each.match) != std::string::npos) rate = each.tokens_per_second;
  }
  return rate;
}

std::size_t Server::begin_call(const Json& body) {
  journal_.push_back({{"call", ++calls_},
                      {"begun_at", now_text()},
                      {"ended_at", nullptr},
                      {"outcome", nullptr},
                      {"sections_sent", 0},
                      {"sections_sent_at_ns", Json::array()},
                      {"body", body}});
  return journal_.size() - 1;
}

void Server::end_call(std::size_t call, const std::string& outcome) {
  if (call >= journal_.size()) return;  // the journal was cleared meanwhile
  journal_[call]["ended_at"] = now_text();
  journal_[call]["outcome"] = outcome;
  if (journal_file_.is_open()) journal_file_ << gp::dump_json(journal_[call]) << std::endl;
}

awaitable<bool> Server::complete(Tcp& stream, const Request& request) {
  Json body;
  try {
    body = gp::parse_json(request.body(), {.max_bytes = 4 << 20});
  } catch (const gp::Error&) {
    body = nullptr;
  }
  auto refusal = refuse(request, body);
  const std::size_t call = begin_call(body);
  std::optional<Fault> fault;
  if (!refusal) {
    fault = faults_.take(body);
    if (fault) refusal = http_fault(*fault, body.value("model", ""));
  }
  if (fault && fault->fault == "slow_start")
    co_await wait(milliseconds(static_cast<int>(fault->retry_after_s * 1000)));
  if (refusal) {
    refusal->keep_alive(request.keep_alive());
    refusal->prepare_payload();
    co_await http::async_write(stream, *refusal, kUse);
    end_call(call, fmt::format("http {}", refusal->result_int()));
    co_return request.keep_alive();
  }
  if (fault && fault->fault == "garbage_http") {
    co_await asio::async_write(stream, asio::buffer(std::string("\x01\x02 this is not HTTP\r\n\r\n")), kUse);
    end_call(call, "garbage_http");
    co_return false;
  }
  const Reply reply =
      write_reply(body, fault, static_cast<int>(calls_), {options_.seed, options_.chunk_tokens});
  co_return co_await send_reply(stream, request, body, reply, call);
}

awaitable<bool> Server::send_reply(Tcp& stream, const Request& request, const Json& body, const Reply& reply,
                                   std::size_t call) {
  if (!body.value("stream", false)) {
    Response response = json_answer(200, whole_completion(reply, static_cast<int>(calls_)));
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    co_await http::async_write(stream, response, kUse);
    end_call(call, "whole");
    co_return request.keep_alive();
  }
  http::response<http::empty_body> head{http::status::ok, 11};
  head.set(http::field::content_type, "text/event-stream; charset=utf-8");
  head.set(http::field::cache_control, "no-cache");
  head.set("x-request-id", fmt::format("req-sim-{}", calls_));
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer{head};
  const auto [fault, size] = co_await http::async_write_header(stream, serializer, kUse);
  std::string outcome = "client_gone";  // no ?: around co_await: GCC 12 destroys its result twice
  if (!fault) outcome = co_await send_frames(stream, body, reply, call);
  end_call(call, outcome);
  if (outcome != "sent") co_return false;
  const auto [last_fault, last_size] = co_await asio::async_write(stream, http::make_chunk_last(), kUse);
  co_return !last_fault && request.keep_alive();
}

/// At the moment before the bytes that complete them are written.
void Server::note_sections(std::size_t call, int complete) {
  if (call >= journal_.size()) return;  // the journal was cleared meanwhile
  Json& entry = journal_[call];
  for (int sent = entry.at("sections_sent"); sent < complete; ++sent)
    entry["sections_sent_at_ns"].push_back(monotonic_ns());
  entry["sections_sent"] = std::max(entry.at("sections_sent").get<int>(), complete);
}

/// Sends what the token rate allows, tick by tick. Returns how it ended.
awaitable<std::string> Server::send_frames(Tcp& stream, const Json& body, const Reply& reply,
                                           std::size_t call) {
  const std::string text = gp::dump_json(body.at("messages")) + reply.model;
  const double pace = pace_of(options_.seed, call, options_.rate_spread);
  double allowance = 1;
  int complete = 0;
  for (const Frame& frame : reply.frames) {
    while (frame.tokens > allowance) {
      const double rate = rate_for(text) * pace;
      if (rate <= 0) {
        allowance = frame.tokens;
        break;
      }
      const gp::SteadyTime begun = gp::steady_now();
      co_await wait(time_for(frame.tokens - allowance, rate));
      if (is_gone(stream)) co_return "client_gone";
      allowance += rate * std::chrono::duration<double>(gp::steady_now() - begun).count();
    }
    allowance = std::max(0.0, allowance - frame.tokens);
    if (frame.kind == Frame::Kind::kBreak) co_return "cut";
    if (frame.kind == Frame::Kind::kSilence) {
      co_await stay_silent(stream);
      co_return "silence";
    }
    const std::string out =
        frame.kind == Frame::Kind::kComment ? ": " + frame.text + "\n\n" : "data: " + frame.text + "\n\n";
    if (frame.sections > complete) note_sections(call, complete = frame.sections);
    const auto [fault, size] = co_await asio::async_write(stream, http::make_chunk(asio::buffer(out)), kUse);
    if (fault) co_return "client_gone";
  }
  co_return "sent";
}

}  // namespace sim
