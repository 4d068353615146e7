#include "handlers/ctl/nginx_limits.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

std::int64_t number_or(const std::string& text, std::int64_t otherwise) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc{} && end == text.data() + text.size() ? number : otherwise;
}

std::int64_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

std::vector<std::string> configuration_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '#' && word.empty()) {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      end_word();
    } else if (c == '{' || c == '}' || c == ';') {
      end_word();
      words.emplace_back(1, c);
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

std::int64_t NginxLimits::usable_connections() const {
  return std::min(connections, files == 0 ? kUsualFiles : files);
}

std::int64_t NginxLimits::streams() const { return workers * usable_connections() * 3 / 8; }

NginxLimits parse_nginx_limits(std::string_view text, NginxLimits limits) {
  const auto words = configuration_words(text);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& value = words[i + 1];
    if (words[i] == "worker_processes") limits.workers = number_or(value, processors());  // "auto"
    if (words[i] == "worker_connections") limits.connections = number_or(value, limits.connections);
    if (words[i] == "worker_rlimit_nofile") limits.files = number_or(value, limits.files);
  }
  return limits;
}

NginxLimits read_nginx_limits(const std::string& nginx_dir) {
  const fs::path main = fs::path(nginx_dir) / "nginx.conf";
  std::error_code ignored;
  if (!fs::exists(main, ignored))
    throw Error(ErrorKind::kUnavailable, fmt::format("there is no {}: is nginx installed?", main.string()));
  NginxLimits limits = parse_nginx_limits(read_file(main));
  for (const auto& entry : fs::directory_iterator(fs::path(nginx_dir) / "modules-enabled", ignored)) {
    if (entry.path().extension() == ".conf") limits = parse_nginx_limits(read_file(entry.path()), limits);
  }
  return limits;
}

}  // namespace gp::ctl
