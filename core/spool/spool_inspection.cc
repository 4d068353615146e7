#include "core/spool/spool_inspection.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/spool/file_lock.h"
#include "core/spool/spool_connection.h"
#include "spool_sql.h"

namespace gp::spool {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPatience{5000};
constexpr std::int64_t kFirstVersionWithEvents = 2;

std::int64_t size_of(const fs::path& path) {
  std::error_code ignored;
  const auto size = fs::file_size(path, ignored);
  return ignored ? 0 : static_cast<std::int64_t>(size);
}

}  // namespace

SpoolFacts inspect_spool(const std::string& path) {
  SpoolFacts facts;
  facts.set_aside = find_set_aside(path);
  std::error_code ignored;
  facts.exists = fs::exists(path, ignored);
  if (!facts.exists) return facts;
  FileLock lock(path + ".lock");
  const auto open = [&] {
    const FileLock::Hold hold(lock, kPatience);
    return SpoolConnection(path, SpoolProfile{});
  };
  SpoolConnection connection = open();
  connection.check_structure();
  sqlite::Statement& count = connection.prepared(sql::kCountOutbox);
  if (count.step()) facts.unconfirmed = count.number(0);
  connection.rewind();
  facts.log_bytes = size_of(path + "-wal");
  facts.bytes = size_of(path) + facts.log_bytes;
  return facts;
}

std::vector<std::string> find_set_aside(const std::string& path) {
  const fs::path file(path);
  const std::string prefix = file.filename().string() + ".corrupt-";
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(file.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
      found.push_back(entry.path().string());
  }
  std::ranges::sort(found);  // the time in the name is RFC 3339
  return found;
}

std::vector<std::string> files_of(const std::string& set_aside) {
  return {set_aside, set_aside + "-wal", set_aside + "-shm"};
}

std::vector<RunId> find_cached_runs(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  auto database = sqlite::Database::open_to_read(path);
  if (database.number_of("PRAGMA user_version") < kFirstVersionWithEvents) return {};
  std::vector<RunId> runs;
  sqlite::Statement rows(database, sql::kListRuns);
  while (rows.step()) runs.emplace_back(rows.text(0));
  return runs;
}

}  // namespace gp::spool
