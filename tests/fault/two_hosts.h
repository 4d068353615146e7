#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/support/http_client.h"
#include "tests/support/shell.h"

namespace fault {

/// For its lifetime this thread makes its sockets in a network namespace; those that exist stay where they
/// are.
class InNamespace {
 public:
  explicit InNamespace(const std::string& name);
  ~InNamespace();
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;

 private:
  int former_;
};

/// Two application hosts, each with nginx, handlers, workers and a spool of its own, on one PostgreSQL
/// primary with a streaming standby: see the script `hosts`. Needs root and network namespaces.
class TwoHosts {
 public:
  TwoHosts();
  ~TwoHosts();
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;

  std::string act(const std::string& verb) const;  ///< a verb of the script; returns what it prints
  std::string sql(const std::string& query) const;

  std::string start(const std::string& host, const gp::Json& body) const;
  gp::Json status(const std::string& host, const std::string& project_id) const;
  std::unique_ptr<support::EventStream> open_stream(const std::string& host, const std::string& run_id,
                                                    std::int64_t after) const;
  std::string worker_log(const std::string& host) const;
  std::int64_t outbox_rows(const std::string& host) const;

  void set_rate(const std::string& match, double tokens_per_second) const;
  std::vector<gp::Json> calls(const std::string& match) const;

 private:
  std::string space(const std::string& name) const;

  support::TempFolder folder_;
};

}  // namespace fault
