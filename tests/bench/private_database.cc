#include "tests/bench/private_database.h"

#include <exception>
#include <iostream>

#include <fmt/format.h>

#include "core/runlog/migrate.h"

namespace bench {

PrivateDatabase::PrivateDatabase() {
  control("start");
  std::string url = control("address");
  while (url.ends_with('\n')) url.pop_back();
  url_ = gp::Secret(url);
  gp::runlog::migrate(url_);
}

PrivateDatabase::~PrivateDatabase() {
  try {
    control("stop");
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
}

std::string PrivateDatabase::control(const std::string& verb) const {
  return support::run_or_throw(
      fmt::format("{}/tests/support/private-postgres {}/postgres {}", GP_SOURCE_DIR, folder_.path(), verb));
}

}  // namespace bench
