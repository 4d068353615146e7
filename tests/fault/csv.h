#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fault {

/// CSV by RFC 4180, cell by cell. A last row without an end is a row of one cell.
inline std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string cell;
  bool is_quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' && is_quoted && at + 1 < text.size() && text[at + 1] == '"') {
      cell += text[++at];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (is_quoted || (c != ',' && c != '\r' && c != '\n')) {
      cell += c;
    } else if (c != '\r') {
      row.push_back(std::exchange(cell, {}));
      if (c == '\n') rows.push_back(std::exchange(row, {}));
    }
  }
  if (!row.empty() || !cell.empty()) rows.push_back({cell});
  return rows;
}

}  // namespace fault
