#pragma once

#include <memory>
#include <string>

#include "tests/support/program.h"
#include "tests/support/stack.h"

namespace bench {

/// An nginx with the configuration of a stack's own - workers, connections, log - and another site: what the
/// service is measured against.
///   /static/<file>           a file
///   /hello                   a bare FastCGI program (see hello.cc), two processes; not logged, as /health
///   /hello/logged            the same, with a line in the access log, as all other answers have one
///   /hello/logged?select     the same, after a prepared statement of the stack's PostgreSQL
///   /publish, /subscribe     nchan: channel ?id=, where the module is installed
class YardstickNginx {
 public:
  /// `select` must find one row. Throws std::runtime_error where it does not answer within 10 s.
  explicit YardstickNginx(const support::Stack& stack, const std::string& select = "SELECT 1");

  int port() const noexcept { return port_; }
  bool has_nchan() const noexcept { return has_nchan_; }
  void put_file(const std::string& name, const std::string& content) const;

 private:
  void write_configuration(const support::Stack& stack) const;
  std::string site() const;
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

  support::TempFolder folder_;
  int port_;
  bool has_nchan_;
  std::unique_ptr<support::Program> hello_;
  std::unique_ptr<support::Program> nginx_;
};

}  // namespace bench
