#include "core/base/settings_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace gp {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') && std::ranges::all_of(text, fits);
}

/// The value without its quotes; nothing where it cannot be taken as it stands.
std::optional<std::string> value_of(std::string_view text) {
  if (text.find('\\') != std::string_view::npos) return std::nullopt;
  const bool begins_quoted = !text.empty() && (text.front() == '"' || text.front() == '\'');
  if (!begins_quoted) return std::string(text);
  if (text.size() < 2 || text.back() != text.front()) return std::nullopt;
  const std::string_view inner = text.substr(1, text.size() - 2);
  if (inner.find(text.front()) != std::string_view::npos) return std::nullopt;
  return std::string(inner);
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

std::string without_newline(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

bool is_secret(std::string_view name) {
  const auto found = std::ranges::find(settings(), name, &Setting::name);
  return found != settings().end() && std::holds_alternative<Secret Config::*>(found->member);
}

std::map<std::string, std::string> values_in(const std::string& folder) {
  const std::string path = folder + "/generate-project.conf";
  return parse_settings_file(read_file(path).value_or(""), path);
}

}  // namespace

std::map<std::string, std::string> parse_settings_file(std::string_view text, std::string_view path) {
  std::map<std::string, std::string> values;
  std::vector<Fault> faults;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto equals = std::min(line.find('='), line.size());
    const auto value = value_of(trimmed(line.substr(std::min(equals + 1, line.size()))));
    const std::string_view name = trimmed(line.substr(0, equals));
    if (equals == line.size() || !is_name(name) || !value) {
      faults.push_back({fmt::format("{}, line {}", path, number),
                        "is not NAME=value; a value may stand in quotes, backslashes are not understood"});
      continue;
    }
    values[std::string(name)] = *value;
  }
  if (!faults.empty()) throw ConfigError(std::move(faults));
  return values;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_in(folder)) names.push_back(name);
  return names;
}

Environment settings_in(const std::string& folder) {
  auto values = values_in(folder);
  return [folder, values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string(name));
    if (found != values.end() && !found->second.empty()) return found->second;
    if (!is_secret(name)) return std::nullopt;
    auto text = read_file(folder + "/credentials/" + std::string(name));
    return text ? std::optional(without_newline(std::move(*text))) : std::nullopt;
  };
}

Environment layered(Environment first, Environment second) {
  return [first = std::move(first), second = std::move(second)](std::string_view name) {
    auto value = first(name);
    return value && !value->empty() ? value : second(name);
  };
}

}  // namespace gp
