#include "core/runlog/database_check.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/runlog/lock_wait.h"
#include "sql.h"

namespace gp::runlog {
namespace {

using std::chrono::milliseconds;

constexpr const char* kApplication = "generate-project doctor";

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(wall_now().time_since_epoch()).count();
}

void read_server(pg::Session& session, DatabaseFacts& facts) {
  const std::int64_t before = now_ms();
  const auto row = session.run(sql::kReadServer);
  const std::int64_t middle = before + (now_ms() - before) / 2;
  facts.clock_ahead = milliseconds(row.number(0, "now_ms") - middle);
  facts.server_version = static_cast<int>(row.number(0, "version"));
  facts.role = row.text(0, "role");
  facts.encoding = row.text(0, "encoding");
  facts.is_standby = row.flag(0, "is_standby");
  facts.is_read_only = row.flag(0, "is_read_only");
  facts.may_create = !row.is_null(0, "may_create") && row.flag(0, "may_create");
}

/// The rights that are missing say why where the role may not read it.
std::optional<Schema> read_schema_if_allowed(pg::Session& session) {
  try {
    return read_schema(session);
  } catch (const Error& error) {
    if (!is_right_missing(error)) throw;
    return std::nullopt;
  }
}

/// An identifier that nobody else uses at this moment.
std::string private_channel() {
  std::string name = "generation_doctor_" + make_uuid();
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace

DatabaseFacts inspect_database(const Secret& database_url) {
  pg::Session session(database_url, kApplication);
  session.prepare(sql::kReadServer);  // its time is not the clock's
  DatabaseFacts facts;
  read_server(session, facts);
  facts.schema = read_schema_if_allowed(session);
  const auto rights = session.run(sql::kFindMissingRights);
  for (int row = 0; row < rights.size(); ++row) facts.missing_rights.push_back(rights.text(row, "missing"));
  const auto columns = session.run(sql::kReadProjectColumns);
  for (int row = 0; row < columns.size(); ++row) {
    facts.project_columns.push_back({columns.text(row, "name"), columns.text(row, "type"),
                                     columns.flag(row, "is_required"), columns.flag(row, "may_insert")});
  }
  return facts;
}

Listening try_to_listen(const Secret& listen_url, const Secret& database_url, milliseconds patience) {
  const std::string channel = private_channel();
  pg::Session listener(listen_url, kApplication);
  listener.listen(channel);
  pg::Session sender(database_url, kApplication);
  sender.run(sql::kRing, {channel, ""});
  const SteadyTime deadline = steady_now() + patience;
  while (steady_now() < deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now());
    const auto heard = listener.wait(std::max(left, milliseconds(0)), -1);
    if (std::ranges::any_of(heard, [&](const auto& ring) { return ring.channel == channel; }))
      return Listening::kHeard;
  }
  return listener.is_pooled() ? Listening::kNotHeardThroughPooler : Listening::kNotHeard;
}

}  // namespace gp::runlog
