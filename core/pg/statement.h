#pragma once

#include <string_view>

namespace gp::pg {

/// One SQL statement with parameters $1, $2 ...; the text of one file of core/runlog/sql. The name is the
/// prepared statement's. Both must outlive every session: they are embedded at build time.
struct Statement {
  std::string_view name;
  std::string_view sql;
};

}  // namespace gp::pg
