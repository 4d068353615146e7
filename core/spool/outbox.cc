#include "core/spool/outbox.h"

#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/json.h"
#include "core/base/report.h"
#include "core/spool/statements.h"
#include "core/sqlite/database.h"

namespace gp::spool {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::string_view kPragmas =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216;"
    // The quota, on every connection: 131,072 pages of 4 KiB = 512 MiB. At it, appending fails but removing
    // still works; on a full disk both fail.
    "PRAGMA max_page_count = 131072;";

std::optional<std::string> end_as_text(const std::optional<project::RunEnd>& end) {
  if (!end) return std::nullopt;
  return dump_json({{"complete", end->complete},
                    {"error_code", end->error_code},
                    {"error_message", end->error_message},
                    {"prompt_tokens", end->usage.prompt_tokens},
                    {"cached_tokens", end->usage.cached_tokens},
                    {"completion_tokens", end->usage.completion_tokens},
                    {"cost_usd", end->cost_usd ? Json(*end->cost_usd) : Json(nullptr)},
                    {"llm_calls", end->llm_calls}});
}

project::RunEnd end_from_text(const std::string& text) {
  const Json json = parse_json(text);
  project::RunEnd end;
  end.complete = json.at("complete").get<bool>();
  end.error_code = json.at("error_code").get<std::string>();
  end.error_message = json.at("error_message").get<std::string>();
  end.usage.prompt_tokens = json.at("prompt_tokens").get<std::int64_t>();
  end.usage.cached_tokens = json.at("cached_tokens").get<std::int64_t>();
  end.usage.completion_tokens = json.at("completion_tokens").get<std::int64_t>();
  if (!json.at("cost_usd").is_null()) end.cost_usd = json.at("cost_usd").get<double>();
  end.llm_calls = json.at("llm_calls").get<std::int64_t>();
  return end;
}

OutboxEntry read_entry(const sqlite::Statement& row) {
  OutboxEntry entry;
  entry.sequence = row.number(0);
  entry.step.run_id = RunId(row.text(1));
  entry.step.token = LeaseToken(row.text(2));
  const auto type = project::parse_event_type(row.text(4));
  if (!type) throw Error(ErrorKind::kConflict, "the spool holds an event of unknown type");
  entry.step.event = {row.number(3), *type, parse_json(row.text(5))};
  entry.step.document = row.text(6);
  if (!row.is_null(7)) entry.step.end = end_from_text(row.text(7));
  return entry;
}

/// Device and inode: they tell whether the file at the path is still the one that was opened.
std::pair<dev_t, ino_t> identity_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {0, 0};
  return {info.st_dev, info.st_ino};
}

}  // namespace

struct Outbox::Impl {
  Impl(std::string path_given, int slot_given) : path(std::move(path_given)), slot(slot_given) {
    open_or_replace();
  }

  struct Connection {
    explicit Connection(const std::string& path) : database(path) {
      prepare_file(database);
      append.emplace(database, sql::kAppendStep);
      read.emplace(database, sql::kReadPending);
      remove.emplace(database, sql::kRemoveEntry);
    }

    static void prepare_file(sqlite::Database& database) {
      database.run_script(kPragmas);
      sqlite::Transaction transaction(database);
      const std::int64_t version = database.number_of("PRAGMA user_version");
      const std::int64_t tables = database.number_of("SELECT count(*) FROM sqlite_schema");
      if (version == 0 && tables == 0) {
        database.run_script(sql::kCreateSpool);
        sqlite::Statement(database, sql::kInsertHost).run({make_uuid()});
      } else if (version != kVersion) {
        throw Error(ErrorKind::kConflict,
                    fmt::format("the spool has version {}, this program knows {}", version, kVersion));
      }
      transaction.commit();
      const std::string verdict = database.text_of("PRAGMA quick_check(1)");
      if (verdict != "ok") throw Error(ErrorKind::kConflict, "the spool is corrupt");
    }

    sqlite::Database database;
    std::optional<sqlite::Statement> append;
    std::optional<sqlite::Statement> read;
    std::optional<sqlite::Statement> remove;
  };

  void open_or_replace() {
    connection.reset();
    std::error_code fault;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), fault);
    try {
      connection.emplace(path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kConflict)
        throw Error(ErrorKind::kUnavailable,
                    fmt::format("cannot open the spool '{}': {}", path, error.what()), error.code());
      set_aside(error.what());
      connection.emplace(path);
    }
    identity = identity_of(path);
    spool_id = connection->database.text_of("SELECT spool_id FROM host");
  }

  void set_aside(const std::string& reason) {
    const std::string aside = fmt::format("{}.corrupt-{}", path, format_rfc3339(wall_now()));
    std::error_code fault;
    std::filesystem::rename(path, aside, fault);
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::rename(path + suffix, aside + suffix, fault);
    report::report(report::SpoolSetAside{aside, reason});
  }

  /// An unlinked file would take every write and lose it: look before each use.
  Connection& usable() {
    if (!connection || identity_of(path) != identity) {
      report::report(report::SpoolSetAside{path, "the file was removed or replaced"});
      open_or_replace();
    }
    return *connection;
  }

  /// Runs `work`; where the file turns out to be corrupt it is set aside and the work is done once more on a
  /// new one.
  template <class Work>
  auto with_connection(const Work& work) {
    const std::lock_guard lock(mutex);
    try {
      return work(usable());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kConflict) throw;
      connection.reset();
      set_aside(error.what());
      open_or_replace();
      return work(*connection);
    }
  }

  std::string path;
  int slot;
  std::mutex mutex;
  std::optional<Connection> connection;  ///< guarded by mutex
  std::pair<dev_t, ino_t> identity;      ///< guarded by mutex
  std::string spool_id;
};

Outbox::Outbox(const std::string& path, int slot) : impl_(std::make_unique<Impl>(path, slot)) {}
Outbox::~Outbox() = default;

const std::string& Outbox::spool_id() const { return impl_->spool_id; }

void Outbox::append(const project::Step& step) {
  const auto ending = end_as_text(step.end);
  impl_->with_connection([&](Impl::Connection& connection) {
    connection.append->run({std::int64_t{impl_->slot}, step.run_id.str(), step.token.str(), step.event.id,
                            std::string(name_of(step.event.type)), dump_json(step.event.data), step.document,
                            ending ? sqlite::Value(*ending) : sqlite::Value(nullptr)});
  });
}

std::vector<OutboxEntry> Outbox::pending(int limit) {
  return impl_->with_connection([&](Impl::Connection& connection) {
    std::vector<OutboxEntry> entries;
    connection.read->bind({std::int64_t{impl_->slot}, std::int64_t{limit}});
    while (connection.read->step()) entries.push_back(read_entry(*connection.read));
    return entries;
  });
}

void Outbox::remove(std::span<const std::int64_t> sequences) {
  impl_->with_connection([&](Impl::Connection& connection) {
    sqlite::Transaction transaction(connection.database);
    for (const std::int64_t sequence : sequences) connection.remove->run({sequence});
    transaction.commit();
  });
}

void Outbox::adopt_from(int first_unused_slot) {
  impl_->with_connection([&](Impl::Connection& connection) {
    sqlite::Statement(connection.database, sql::kAdoptSlots)
        .run({std::int64_t{impl_->slot}, std::int64_t{first_unused_slot}});
  });
}

}  // namespace gp::spool
