#pragma once

#include <string>

#include "core/base/secret.h"
#include "tests/support/shell.h"

namespace bench {

/// A PostgreSQL of the bench's own with the run log's tables, and nobody else on it.
class PrivateDatabase {
 public:
  PrivateDatabase();
  ~PrivateDatabase();
  PrivateDatabase(const PrivateDatabase&) = delete;
  PrivateDatabase& operator=(const PrivateDatabase&) = delete;
  const gp::Secret& url() const noexcept { return url_; }

 private:
  std::string control(const std::string& verb) const;

  support::TempFolder folder_;
  gp::Secret url_;
};

}  // namespace bench
