#include "tests/support/stack.h"

#include <filesystem>
#include <iostream>
#include <stdexcept>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "core/base/ids.h"

namespace support {
namespace {

constexpr const char* kSourceFolder = GP_SOURCE_DIR;

std::string without_newline(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Stack::Stack(const std::map<std::string, std::string>& settings)
    : port_(free_port()), environment_(settings) {
  if (!environment_.contains("DATABASE_URL")) {
    start_database();
    environment_["DATABASE_URL"] = without_newline(run_or_throw(
        fmt::format("{}/tests/support/private-postgres {}/postgres address", kSourceFolder, folder())));
  }
  database_url_ = environment_.at("DATABASE_URL");
  environment_["DEV_STATE_DIR"] = folder() + "/state";
  environment_["DEV_BUILD_DIR"] = GP_BUILD_DIR;
  environment_["PORT"] = std::to_string(port_);
  environment_.try_emplace("SIM_LLM_TOKENS_PER_SECOND", "5000");
  environment_.try_emplace("WORKER_DRAIN_S", "5");
  environment_.try_emplace("DRAIN_S", "2");
  dev("up --detach --as-built");
  const std::string address = without_newline(read_file(folder() + "/state/run/sim-llm.address"));
  llm_port_ = std::stoi(address.substr(address.rfind(':') + 1));
}

Stack::~Stack() {
  if (is_up_) end();
}

void Stack::end() {
  is_up_ = false;
  try {
    dev("down");
    run(fmt::format("{}/tests/support/private-postgres {}/postgres stop", kSourceFolder, folder()));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
}

std::string Stack::dev(const std::string& arguments) const {
  return run_or_throw(fmt::format("{}/packaging/dev {}", kSourceFolder, arguments), environment_);
}

Reply Stack::get(const std::string& target, const Headers& headers) const {
  return request(port_, "GET", target, {}, headers);
}

Reply Stack::post_start(const gp::Json& body, const Headers& headers) const {
  Headers all = headers;
  all.emplace_back("Content-Type", "application/json");
  return request(port_, "POST", "/start", gp::dump_json(body), all);
}

Reply Stack::cancel(const std::string& run_id) const {
  return request(port_, "POST", "/runs/" + run_id + "/cancel");
}

std::string Stack::start(const gp::Json& body) const {
  const Reply reply = post_start(body);
  if (reply.status != 202)
    throw std::runtime_error(fmt::format("POST /start: {} {}", reply.status, reply.body));
  return reply.json().at("run_id").get<std::string>();
}

std::vector<StreamEvent> Stack::follow(const std::string& run_id) const {
  return EventStream(port_, "/events/stream?run_id=" + run_id).rest();
}

gp::Json Stack::status(const std::string& project_id) const { return get("/status/" + project_id).json(); }

void Stack::arm(const gp::Json& fault) const {
  const Reply reply = request(llm_port_, "POST", "/control/faults", gp::dump_json(fault));
  if (reply.status != 200) throw std::runtime_error(reply.body);
}

void Stack::disarm() const { request(llm_port_, "DELETE", "/control/faults"); }

void Stack::set_rate(const std::string& match, double tokens_per_second) const {
  request(llm_port_, "PUT", "/control/rate",
          gp::dump_json({{"match", match}, {"tokens_per_second", tokens_per_second}}));
}

std::vector<gp::Json> Stack::calls(const std::string& match) const {
  std::vector<gp::Json> calls;
  const Reply reply = request(llm_port_, "GET", "/control/journal");
  for (const gp::Json& call : gp::parse_json(reply.body, {.max_bytes = 64 << 20})) {
    if (gp::dump_json(call.at("body").at("messages")).find(match) != std::string::npos) calls.push_back(call);
  }
  return calls;
}

void Stack::restart(const std::string& process) const { dev("restart " + process); }

void Stack::stop_database() const {
  run_or_throw(fmt::format("{}/tests/support/private-postgres {}/postgres stop", kSourceFolder, folder()));
}

void Stack::start_database() const {
  run_or_throw(fmt::format("{}/tests/support/private-postgres {}/postgres start", kSourceFolder, folder()));
}

int Stack::pid_of(const std::string& process) const {
  return std::stoi(read_file(fmt::format("{}/state/run/{}.pid", folder(), process)));
}

std::string Stack::log_of(const std::string& process) const {
  return read_file(fmt::format("{}/state/log/{}.log", folder(), process));
}

std::string Stack::sanitizer_reports() const {
  return run(fmt::format("grep -rE -A 20 'Sanitizer|runtime error:' {}/state/log | cut -c1-200 | head -n 60",
                         folder()))
      .output;
}

gp::Json start_body(const std::string& name) {
  return {{"project_id", name},
          {"chat_id", "chat_" + name},
          {"topic", "Fractions for " + name},
          {"life_skill", "Negotiation"},
          {"group_size", 2},
          {"duration_min", 45},
          {"owner_email", "huda@school.ae"}};
}

}  // namespace support
