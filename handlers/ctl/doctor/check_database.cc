#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

constexpr int kOldestServer = 130000;
constexpr std::chrono::seconds kListenPatience{2};
constexpr const char* kListenAdvice = "set DATABASE_LISTEN_URL to a direct connection of the same database";
constexpr std::array<std::string_view, 4> kIdTypes = {"text", "character varying", "uuid", "bigint"};

using Columns = std::vector<runlog::ProjectColumn>;

Finding judge_server(const runlog::DatabaseFacts& facts) {
  const std::string version = fmt::format("PostgreSQL {}.{}, role {}", facts.server_version / 10000,
                                          facts.server_version % 10000, facts.role);
  if (facts.server_version < kOldestServer)
    return fail("database.server", version, "PostgreSQL 13 or newer is needed");
  if (facts.is_standby) {
    return fail("database.server", version + ", a standby that takes no writes",
                "name every host in DATABASE_URL and add target_session_attrs=read-write");
  }
  return ok("database.server", version);
}

Finding judge_schema(const runlog::DatabaseFacts& facts) {
  const std::string mismatch = runlog::schema_mismatch(facts.schema);
  if (mismatch.empty()) return ok("database.schema", fmt::format("version {}", facts.schema.version));
  if (facts.schema.version > runlog::known_schema_version())
    return fail("database.schema", mismatch, "install the newer version of generate-project");
  const std::string may_not = facts.may_create ? "" : ", by a role that may create tables (this one may not)";
  return fail("database.schema", mismatch, "generate-project migrate" + may_not);
}

Finding judge_rights(const runlog::DatabaseFacts& facts) {
  if (facts.missing_rights.empty()) return ok("database.rights", "the role may do all it needs");
  return fail("database.rights", fmt::format("missing: {}", fmt::join(facts.missing_rights, ", ")),
              fmt::format("GRANT these to {}, or let it own the tables", facts.role));
}

bool is_ours(const std::string& column) {
  return column == "id" || column == "spec_json" || column == "updated_at";
}

std::string find_missing_columns(const Columns& columns) {
  std::vector<std::string> missing;
  for (const char* name : {"id", "spec_json", "updated_at"}) {
    if (std::ranges::find(columns, name, &runlog::ProjectColumn::name) == columns.end())
      missing.emplace_back(name);
  }
  return fmt::format("{}", fmt::join(missing, ", "));
}

Finding judge_projects(const Columns& columns) {
  if (columns.empty()) return warn("database.projects", "there is no such table", "migrate makes it");
  if (const std::string missing = find_missing_columns(columns); !missing.empty()) {
    return fail("database.projects", "the table lacks: " + missing,
                "add the columns (id, spec_json jsonb, updated_at timestamptz)");
  }
  const auto id = std::ranges::find(columns, "id", &runlog::ProjectColumn::name);
  if (std::ranges::find(kIdTypes, id->type) == kIdTypes.end()) {
    return fail("database.projects", fmt::format("id is of type {}", id->type),
                "text, varchar, uuid and bigint are understood");
  }
  std::vector<std::string> needed;
  for (const auto& column : columns) {
    if (column.is_required && !is_ours(column.name)) needed.push_back(column.name);
  }
  if (needed.empty()) return ok("database.projects", fmt::format("id is of type {}", id->type));
  return warn(
      "database.projects",
      fmt::format("id is of type {}; a row cannot be inserted without {}", id->type, fmt::join(needed, ", ")),
      "the calling app must insert a project's row before it calls /start");
}

Finding judge_listening(runlog::Listening listening) {
  using runlog::Listening;
  switch (listening) {
    case Listening::kHeard:
      return ok("database.listen", "notifications arrive");
    case Listening::kNotHeard:
      return fail("database.listen", "LISTEN succeeds, but no notification arrives",
                  "let DATABASE_URL and DATABASE_LISTEN_URL lead to the same database");
    case Listening::kNotHeardThroughPooler:
      return fail("database.listen", "LISTEN does not work through a transaction pooler", kListenAdvice);
  }
  return fail("database.listen", "not known", kListenAdvice);
}

Finding check_listen(const Config& config) {
  try {
    return judge_listening(
        runlog::try_to_listen(config.database_listen_url, config.database_url, kListenPatience));
  } catch (const Error& error) {
    return fail("database.listen", error.what(), kListenAdvice);
  }
}

}  // namespace

Findings judge_database(const runlog::DatabaseFacts& facts) {
  return {judge_server(facts), judge_schema(facts), judge_rights(facts),
          judge_projects(facts.project_columns)};
}

Findings check_database(const Config& config, std::optional<std::chrono::milliseconds>& ahead) {
  try {
    const auto facts = runlog::inspect_database(config.database_url);
    ahead = facts.clock_ahead;
    Findings findings = judge_database(facts);
    findings.push_back(check_listen(config));
    return findings;
  } catch (const Error& error) {
    return {
        fail("database.server", error.what(),
             "is PostgreSQL running, and is DATABASE_URL right? For Debian's own: generate-project setup")};
  }
}

}  // namespace gp::ctl::doctor
