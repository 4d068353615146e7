#include "core/runlog/schema.h"

#include <chrono>

#include <fmt/format.h>
#include <poll.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/pg/session.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kUndefinedTable = "42P01";
constexpr std::chrono::milliseconds kLookAgain{500};

}  // namespace

Schema read_schema(pg::Session& session) {
  try {
    const auto row = session.run(sql::kReadSchema);
    return {static_cast<int>(row.number(0, "version")), static_cast<int>(row.number(0, "compatible_from"))};
  } catch (const Error& error) {
    if (error.code() == kUndefinedTable) return {};
    throw;
  }
}

std::string schema_mismatch(const Schema& schema, int known) {
  if (schema.version < known) {
    return fmt::format(
        "the database has schema version {}, this program needs {}: run 'generate-project migrate' of this "
        "version",
        schema.version, known);
  }
  if (schema.compatible_from > known) {
    return fmt::format(
        "the database has schema version {} and takes programs that know version {} or newer, this one "
        "knows {}: install the newer version of generate-project",
        schema.version, schema.compatible_from, known);
  }
  return {};
}

void require_schema(pg::Session& session) {
  const std::string mismatch = schema_mismatch(read_schema(session));
  if (!mismatch.empty()) throw Error(ErrorKind::kSchema, mismatch);
}

std::function<void(pg::Session&)> fitting_session(std::chrono::seconds patience) {
  return [patience](pg::Session& session) {
    session.give_up_after(patience);
    require_schema(session);
  };
}

void await_schema(const Secret& database_url, int stop_fd) {
  const SteadyTime deadline = steady_now() + std::chrono::seconds(kSchemaPatienceS);
  for (bool is_told = false;;) {
    try {
      pg::Session session(database_url, "generate-project");
      return require_schema(session);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kSchema) return;
      if (steady_now() >= deadline) throw;
      if (!std::exchange(is_told, true)) report::report(report::SchemaDoesNotFit{error.what()});
    }
    pollfd entry{stop_fd, POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(kLookAgain.count())) > 0) return;
  }
}

}  // namespace gp::runlog
