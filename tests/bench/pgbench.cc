#include "tests/bench/pgbench.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include <boost/algorithm/string/replace.hpp>
#include <fmt/format.h>

#include "tests/support/shell.h"

namespace bench {
namespace {

constexpr const char* kFindPgbench =
    "\"$(find /usr/lib/postgresql -path '*/bin/pgbench' | sort -V | tail -n 1)\"";

/// One word of a shell's command.
std::string quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

double rate_in(const std::string& output) {
  const std::string word = "tps = ";
  const auto at = output.find(word);
  if (at == std::string::npos) throw std::runtime_error("pgbench says: " + output);
  return std::stod(output.substr(at + word.size()));
}

}  // namespace

std::string statement(const std::string& name, const std::vector<std::string>& values) {
  std::string sql = support::read_file(fmt::format("{}/core/runlog/sql/{}.sql", GP_SOURCE_DIR, name));
  while (sql.starts_with("--")) sql.erase(0, sql.find('\n') + 1);
  for (std::size_t i = values.size(); i > 0; --i)
    boost::replace_all(sql, fmt::format("${}", i), values[i - 1]);  // $10 before $1
  return sql;
}

std::string quoted_literal(const std::string& text) {
  std::string doubled = text;
  boost::replace_all(doubled, "'", "''");
  return "'" + doubled + "'";
}

double Pgbench::run(const gp::Secret& database_url, std::chrono::milliseconds time) const {
  const support::TempFolder folder;
  const std::string file = folder.path() + "/script.pgbench";
  std::ofstream(file) << script;
  std::string command =
      fmt::format("{} -n -M prepared -c {} -j {} -T {} -f {}", kFindPgbench, clients,
                  std::min<std::size_t>(clients, 2), std::max<std::int64_t>(time.count() / 1000, 1), file);
  for (const auto& [name, value] : variables) command += fmt::format(" -D {}", quoted(name + "=" + value));
  return rate_in(support::run_or_throw(command + " " + quoted(database_url.reveal())));
}

}  // namespace bench
