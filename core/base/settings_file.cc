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

std::optional<std::string> read_value(const std::string& path) {
  auto text = read_file(path);
  while (text && !text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  return text;
}

bool is_secret(std::string_view name) {
  const auto found = std::ranges::find(settings(), name, &Setting::name);
  return found != settings().end() && std::holds_alternative<Secret Config::*>(found->member);
}

}  // namespace

SettingsFile parse_settings_file(std::string_view text, std::string_view path) {
  SettingsFile file;
  int number = 0;
  const auto add_fault = [&](std::string problem) {
    file.faults.push_back({fmt::format("{}, line {}", path, number), std::move(problem)});
  };
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    const bool goes_on = text.substr(0, end).ends_with('\\');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (line.front() == '#' || line.front() == ';') {
      if (goes_on) add_fault("is a comment that ends in a backslash, which makes the next line a part of it");
      continue;
    }
    const auto equals = std::min(line.find('='), line.size());
    const auto value = value_of(trimmed(line.substr(std::min(equals + 1, line.size()))));
    const std::string_view name = trimmed(line.substr(0, equals));
    if (equals == line.size() || !is_name(name) || !value) {
      add_fault("is not NAME=value; a value may stand in quotes, backslashes are not understood");
      continue;
    }
    file.values[std::string(name)] = *value;
  }
  return file;
}

SettingsFile read_settings_file(const std::string& folder) {
  const std::string path = folder + "/generate-project.conf";
  return parse_settings_file(read_file(path).value_or(""), path);
}

Environment settings_of(SettingsFile file, const std::string& folder) {
  const Environment lines =
      [values = std::move(file.values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string(name));
    return found != values.end() && !found->second.empty() ? std::optional(found->second) : std::nullopt;
  };
  return [folder, lines](std::string_view name) {
    auto value = lines(name);
    return value || !is_secret(name) ? value : find_secret_file(name, lines, folder + "/credentials");
  };
}

Environment settings_in(const std::string& folder) {
  auto file = read_settings_file(folder);
  if (!file.faults.empty()) throw ConfigError(std::move(file.faults));
  return settings_of(std::move(file), folder);
}

std::optional<std::string> find_secret_file(std::string_view name, const Environment& variables,
                                            const std::optional<std::string>& credentials) {
  const std::string variable = std::string(name) + "_FILE";
  if (const auto path = variables(variable)) {
    auto value = read_value(*path);
    if (!value) throw ConfigError({{variable, fmt::format("cannot read '{}'", *path)}});
    return value;
  }
  return credentials ? read_value(fmt::format("{}/{}", *credentials, name)) : std::nullopt;
}

Environment layered(Environment first, Environment second) {
  return [first = std::move(first), second = std::move(second)](std::string_view name) {
    auto value = first(name);
    return value && !value->empty() ? value : second(name);
  };
}

}  // namespace gp
