#include "core/base/report.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/utf8.h"

namespace gp::report {
namespace {

constexpr std::size_t kValueMax = 300;  ///< code points of one field's value

Level least_important = Level::kInfo;
std::string process_name = "generate-project";

/// Whether stderr is the journal, to whom priority and time belong. systemd names the stream in
/// JOURNAL_STREAM by "device:inode" (systemd.exec(5)); who inherits the variable may have sent stderr
/// elsewhere.
bool is_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &info) == 0 &&
         stream == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

constexpr std::string_view kLevelNames[] = {"emerg",   "alert",  "crit", "error",
                                            "warning", "notice", "info", "debug"};

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" =\"\n\r\t\\") != std::string_view::npos;
}

void append_value(std::string& line, const std::string& raw) {
  const std::string value = utf8::truncate(utf8::sanitize(raw), kValueMax);
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += (static_cast<unsigned char>(c) < 0x20) ? ' ' : c;
  }
  line += '"';
}

}  // namespace

void set_level(Level level) { least_important = level; }

Level parse_level(std::string_view name) {
  const auto found = std::ranges::find(kLevelNames, name);
  return found == std::end(kLevelNames) ? Level::kInfo : static_cast<Level>(found - std::begin(kLevelNames));
}

void set_process_name(std::string name) { process_name = std::move(name); }

void write_line(Level level, std::string_view name, const Fields& fields) {
  if (level > least_important) return;
  const auto priority = static_cast<int>(level);
  std::string line = is_to_journal()
                         ? fmt::format("<{}>", priority)
                         : fmt::format("{} {:<7} ", format_rfc3339(wall_now()), kLevelNames[priority]);
  line += fmt::format("{} {}", process_name, name);
  for (const auto& [key, value] : fields) {
    line += fmt::format(" {}=", key);
    append_value(line, value);
  }
  line += '\n';
  // A log line that cannot be written has nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace gp::report
