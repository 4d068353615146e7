#pragma once

#include <string>

#include "core/base/ids.h"
#include "core/base/secret.h"
#include "tests/integration/database.h"

namespace integration {

/// A role without rights, for one case.
struct Stranger : Migrated {
  std::string name = "r_" + gp::make_uuid().substr(0, 8);
  Stranger() { script("CREATE ROLE " + name + " LOGIN"); }
  ~Stranger() { script("DROP OWNED BY " + name + "; DROP ROLE " + name); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  gp::Secret their_url() const {
    std::string text = url().reveal();
    text.replace(text.find("user=postgres"), 13, "user=" + name);
    return gp::Secret(text);
  }
};

}  // namespace integration
