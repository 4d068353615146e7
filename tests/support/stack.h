#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/support/http_client.h"
#include "tests/support/shell.h"

namespace support {

/// The whole service, as `packaging/dev up` runs it: nginx, the five pools, a PostgreSQL of its own that a
/// test may stop and start, and the simulated LLM. Ends all of it at destruction.
class Stack {
 public:
  /// `settings` go to every process; see config.cc. With a DATABASE_URL among them the stack has no
  /// PostgreSQL of its own.
  explicit Stack(const std::map<std::string, std::string>& settings = {});
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  int port() const noexcept { return port_; }
  const std::string& folder() const noexcept { return folder_.path(); }
  const std::string& database_url() const noexcept { return database_url_; }

  Reply get(const std::string& target, const Headers& headers = {}) const;
  Reply post_start(const gp::Json& body, const Headers& headers = {}) const;

  Reply cancel(const std::string& run_id) const;

  /// Starts a run and returns its id.
  std::string start(const gp::Json& body) const;
  /// Every event of the run, to its end.
  std::vector<StreamEvent> follow(const std::string& run_id) const;
  gp::Json status(const std::string& project_id) const;

  /// The simulated LLM: arms a fault, disarms all, sets a token rate, reads its calls (those whose prompt
  /// holds `match`).
  void arm(const gp::Json& fault) const;
  void disarm() const;
  void set_rate(const std::string& match, double tokens_per_second) const;
  std::vector<gp::Json> calls(const std::string& match) const;

  /// Stops one process of the stack ("events", "worker" ...) as a service manager would, and starts it again.
  void restart(const std::string& process) const;

  void stop_database() const;
  void start_database() const;

  /// The id of a process of the stack: "worker", "events", "nginx" ...: the pool's master.
  int pid_of(const std::string& process) const;
  std::string log_of(const std::string& process) const;

  /// Ends all of it and keeps the folder, so that what the processes said last can be looked at.
  void end();

  /// What the processes' logs hold of sanitizer reports; empty: nothing.
  std::string sanitizer_reports() const;

 private:
  std::string dev(const std::string& arguments) const;

  TempFolder folder_;
  int port_;
  int llm_port_ = 0;
  std::map<std::string, std::string> environment_;
  std::string database_url_;
  bool is_up_ = true;
};

/// A sound body of POST /start. `name` becomes project_id, chat_id and a part of the topic, by which the
/// simulated LLM's faults can be aimed.
gp::Json start_body(const std::string& name);

}  // namespace support
