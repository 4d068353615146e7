#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "handlers/ctl/doctor/checks.h"

namespace gp::ctl::doctor {
namespace {

constexpr int kOldestServer = 130000;
constexpr std::chrono::seconds kListenPatience{2};
constexpr const char* kListenAdvice = "set DATABASE_LISTEN_URL to a direct connection of the same database";

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
  if (facts.is_read_only) {
    return fail(
        "database.server", version + ", which takes no writes (default_transaction_read_only is on)",
        "a managed server sets it where its disk is full; SHOW and ALTER DATABASE or ALTER ROLE ... SET "
        "default_transaction_read_only tell and change it");
  }
  return ok("database.server", version);
}

Finding judge_encoding(const runlog::DatabaseFacts& facts) {
  if (facts.encoding == "UTF8") return ok("database.encoding", "UTF8");
  return fail("database.encoding", fmt::format("{}, which cannot hold every language", facts.encoding),
              "use a database that was made with ENCODING 'UTF8' TEMPLATE template0");
}

Finding judge_schema(const runlog::DatabaseFacts& facts) {
  if (!facts.schema) return fail("database.schema", "the role may not read it", "see database.rights");
  const std::string mismatch = runlog::schema_mismatch(*facts.schema);
  if (mismatch.empty()) return ok("database.schema", fmt::format("version {}", facts.schema->version));
  if (facts.schema->version > runlog::known_schema_version())
    return fail("database.schema", mismatch, "install the newer version of generate-project");
  const std::string may_not = facts.may_create ? "" : ", by a role that may create tables (this one may not)";
  return fail("database.schema", mismatch, "generate-project migrate" + may_not);
}

Finding judge_rights(const runlog::DatabaseFacts& facts) {
  if (facts.missing_rights.empty()) return ok("database.rights", "the role may do all it needs");
  return fail("database.rights", fmt::format("missing: {}", fmt::join(facts.missing_rights, ", ")),
              fmt::format("GRANT these to {}, or let it own the tables", facts.role));
}

/// A column of projects that is ours, and the types that it may have: those that PostgreSQL puts our text,
/// our JSON or a time into by itself.
struct OurColumn {
  std::string_view name;
  std::span<const std::string_view> types;
};

constexpr std::string_view kIdTypes[] = {"text", "character varying", "uuid", "bigint"};
constexpr std::string_view kDocumentTypes[] = {"jsonb", "json", "text", "character varying"};
constexpr std::string_view kTimeTypes[] = {"timestamp with time zone", "timestamp without time zone", "date",
                                           "text", "character varying"};
constexpr OurColumn kOurColumns[] = {
    {"id", kIdTypes}, {"spec_json", kDocumentTypes}, {"updated_at", kTimeTypes}};

const runlog::ProjectColumn* find_column(const Columns& columns, std::string_view name) {
  const auto found = std::ranges::find(columns, name, &runlog::ProjectColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

bool is_ours(const runlog::ProjectColumn& column) {
  return std::ranges::find(kOurColumns, column.name, &OurColumn::name) != std::end(kOurColumns);
}

std::string find_missing_columns(const Columns& columns) {
  std::vector<std::string_view> missing;
  for (const OurColumn& ours : kOurColumns) {
    if (find_column(columns, ours.name) == nullptr) missing.push_back(ours.name);
  }
  return fmt::format("{}", fmt::join(missing, ", "));
}

/// A finding about the first column of ours whose type takes nothing of ours.
std::optional<Finding> find_wrong_type(const Columns& columns) {
  for (const auto& [name, types] : kOurColumns) {
    const std::string& type = find_column(columns, name)->type;
    if (std::ranges::find(types, type) != types.end()) continue;
    return fail("database.projects", fmt::format("{} is of type {}", name, type),
                fmt::format("understood: {}", fmt::join(types, ", ")));
  }
  return std::nullopt;
}

/// Why a project's row cannot be inserted; empty where it can.
std::string find_bar_to_insert(const Columns& columns) {
  std::vector<std::string> needed;
  for (const auto& column : columns) {
    if (is_ours(column) && !column.may_insert) return "the role may not insert a row";
    if (column.is_required && !is_ours(column)) needed.push_back(column.name);
  }
  if (needed.empty()) return {};
  return fmt::format("a row cannot be inserted without {}", fmt::join(needed, ", "));
}

Finding judge_projects(const Columns& columns) {
  if (columns.empty()) return warn("database.projects", "there is no such table", "migrate makes it");
  if (const std::string missing = find_missing_columns(columns); !missing.empty()) {
    return fail("database.projects", "the table lacks: " + missing,
                "add the columns (id, spec_json jsonb, updated_at timestamptz)");
  }
  if (auto wrong = find_wrong_type(columns)) return *std::move(wrong);
  const std::string id = fmt::format("id is of type {}", find_column(columns, "id")->type);
  const std::string bar = find_bar_to_insert(columns);
  if (bar.empty()) return ok("database.projects", id);
  return warn("database.projects", fmt::format("{}; {}", id, bar),
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
  return {judge_server(facts), judge_encoding(facts), judge_schema(facts), judge_rights(facts),
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
