#include "tests/fault/two_hosts.h"

#include <iostream>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "core/sqlite/database.h"

namespace fault {
namespace {

constexpr int kPort = 8080;
constexpr int kLlmPort = 9000;
constexpr const char* kScript = GP_SOURCE_DIR "/tests/fault/hosts";

void enter(int fd) {
  if (::setns(fd, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter the network namespace");
}

}  // namespace

InNamespace::InNamespace(const std::string& name)
    : former_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const int fd = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw std::runtime_error("no network namespace " + name);
  enter(fd);
  ::close(fd);
}

InNamespace::~InNamespace() {
  ::setns(former_, CLONE_NEWNET);
  ::close(former_);
}

TwoHosts::TwoHosts() {
  try {
    act("up " GP_BUILD_DIR);
  } catch (const std::exception&) {
    support::run(fmt::format("{} {} down", kScript, folder_.path()));
    throw;
  }
}

TwoHosts::~TwoHosts() {
  std::cerr << support::run(fmt::format("{} {} down", kScript, folder_.path())).output;
}

std::string TwoHosts::act(const std::string& verb) const {
  return support::run_or_throw(fmt::format("{} {} {}", kScript, folder_.path(), verb));
}

std::string TwoHosts::sql(const std::string& query) const {
  std::string text = act(fmt::format("sql \"{}\"", query));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string TwoHosts::space(const std::string& name) const {
  std::string text = act("namespace " + name);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string TwoHosts::start(const std::string& host, const gp::Json& body) const {
  const InNamespace there(space(host));
  const auto reply =
      support::request(kPort, "POST", "/start", gp::dump_json(body), {{"Content-Type", "application/json"}});
  if (reply.status != 202)
    throw std::runtime_error(fmt::format("POST /start: {} {}", reply.status, reply.body));
  return reply.json().at("run_id").get<std::string>();
}

gp::Json TwoHosts::status(const std::string& host, const std::string& project_id) const {
  const InNamespace there(space(host));
  return support::request(kPort, "GET", "/status/" + project_id).json();
}

std::unique_ptr<support::EventStream> TwoHosts::open_stream(const std::string& host,
                                                            const std::string& run_id,
                                                            std::int64_t after) const {
  const InNamespace there(space(host));
  return std::make_unique<support::EventStream>(kPort, "/events/stream?run_id=" + run_id,
                                                support::Headers{{"Last-Event-ID", std::to_string(after)}});
}

std::string TwoHosts::worker_log(const std::string& host) const {
  return support::read_file(fmt::format("{}/{}/log/worker.log", folder_.path(), host));
}

std::int64_t TwoHosts::outbox_rows(const std::string& host) const {
  gp::sqlite::Database spool(fmt::format("{}/{}/spool/spool.db", folder_.path(), host));
  return spool.number_of("SELECT count(*) FROM outbox WHERE slot >= 0");
}

void TwoHosts::set_rate(const std::string& match, double tokens_per_second) const {
  const InNamespace there(space("d"));
  support::request(kLlmPort, "PUT", "/control/rate",
                   gp::dump_json({{"match", match}, {"tokens_per_second", tokens_per_second}}));
}

std::vector<gp::Json> TwoHosts::calls(const std::string& match) const {
  const InNamespace there(space("d"));
  std::vector<gp::Json> calls;
  const auto reply = support::request(kLlmPort, "GET", "/control/journal");
  for (const gp::Json& call : gp::parse_json(reply.body, {.max_bytes = 64 << 20})) {
    if (gp::dump_json(call.at("body").at("messages")).find(match) != std::string::npos) calls.push_back(call);
  }
  return calls;
}

}  // namespace fault
