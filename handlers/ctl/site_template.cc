// Filling in nginx/generate-project.conf.in, and reading back what it was filled with.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "core/base/error.h"
#include "handlers/ctl/nginx_limits.h"
#include "handlers/ctl/nginx_site.h"

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Values = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kInclude = "include @SNIPPETS_DIR@/";
constexpr std::string_view kNoLog = "off";
constexpr std::string_view kSocketOptions = "backlog=4096 sndbuf=32k";

std::string read_template(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(
        ErrorKind::kUnavailable,
        fmt::format("there is no {}; GP_DATA_DIR may name the folder that holds nginx/", path.string()));
  }
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

/// What could end a directive and begin another one.
void refuse_special(const char* option, const std::string& value) {
  if (value.empty() || value.find_first_of(";{}\"'\\$#\n\r\t") != std::string::npos) {
    throw Error(
        ErrorKind::kBadInput,
        fmt::format("{} is '{}'; it must not be empty nor hold ; {{ }} \" ' \\ $ # or a tab", option, value));
  }
}

void check_path(const char* option, const std::string& path) {
  refuse_special(option, path);
  if (path.front() != '/' || path.find(' ') != std::string::npos)
    throw Error(ErrorKind::kBadInput, fmt::format("{} must be an absolute path without blanks", option));
}

void check(const SiteValues& values) {
  refuse_special("--server-name", values.server_name);
  if (values.port < 1 || values.port > 65535) throw Error(ErrorKind::kBadInput, "--port must be 1-65535");
  if (values.tls_cert.empty() != values.tls_key.empty())
    throw Error(ErrorKind::kBadInput, "--tls-cert and --tls-key go together");
  for (const std::string& network : values.metrics_allow) {
    if (!is_network(network))
      throw Error(ErrorKind::kBadInput, "--metrics-allow must be an address, or a network as ADDRESS/BITS");
  }
  if (values.access_log != kNoLog) check_path("--access-log", values.access_log);
  if (values.tls_cert.empty()) return;
  check_path("--tls-cert", values.tls_cert);
  check_path("--tls-key", values.tls_key);
}

std::string access_log(const SiteValues& values) {
  return values.access_log == kNoLog ? values.access_log : values.access_log + " generate_project";
}

std::string listen_lines(const SiteValues& values) {
  const std::string options =
      fmt::format("{}{}", values.tls_cert.empty() ? "" : "ssl http2 ", kSocketOptions);
  std::string lines = fmt::format("listen {} {};", values.port, options);
  if (values.has_ipv6) lines += fmt::format("\n    listen [::]:{} {};", values.port, options);
  return lines;
}

/// The template has these by itself.
bool is_this_host(const std::string& network) { return network == "127.0.0.1" || network == "::1"; }

std::string metrics_lines(const SiteValues& values) {
  std::string lines;
  for (const std::string& network : values.metrics_allow) {
    if (!is_this_host(network))
      lines += fmt::format("{}allow {};", lines.empty() ? "" : "\n        ", network);
  }
  return lines;
}

std::string tls_lines(const SiteValues& values) {
  if (values.tls_cert.empty()) return {};
  return fmt::format("ssl_certificate {};\n    ssl_certificate_key {};\n    ssl_protocols TLSv1.2 TLSv1.3;",
                     values.tls_cert, values.tls_key);
}

bool is_comment(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  return first != std::string_view::npos && line[first] == '#';
}

/// A comment that explains a name of the template.
bool is_legend(std::string_view line) {
  const auto after = line.find_first_not_of("# ");
  return is_comment(line) && after != std::string_view::npos && line[after] == '@';
}

class Rendering {
 public:
  Rendering(fs::path folder, Values values) : folder_(std::move(folder)), values_(std::move(values)) {}

  void add_file(const std::string& name, const std::string& indent) {
    std::string text = read_template(folder_ / name);
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      add_line(name, std::string_view(text).substr(at, end - at), indent);
      at = end + 1;
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void add_line(const std::string& name, std::string_view line, const std::string& indent) {
    const auto include = line.find(kInclude);
    if (include != std::string_view::npos && !is_comment(line)) {
      const auto begin = include + kInclude.size();
      const std::string snippet(line.substr(begin, line.find(';', begin) - begin));
      return add_file("snippets/" + snippet, indent + std::string(include, ' '));
    }
    if (is_legend(line)) return;
    const std::string filled = is_comment(line) ? std::string(line) : fill(name, line);
    const bool is_blank = filled.find_first_not_of(' ') == std::string::npos;
    if (is_blank && !line.empty()) return;  // a name that stands for nothing
    text_ += is_blank ? "\n" : indent + filled + "\n";
  }

  std::string fill(const std::string& name, std::string_view line) const {
    std::string filled(line);
    for (const auto& [key, value] : values_) {
      const std::string mark = "@" + key + "@";
      for (auto at = filled.find(mark); at != std::string::npos; at = filled.find(mark, at + value.size()))
        filled.replace(at, mark.size(), value);
    }
    if (filled.find("@generate_project") == std::string::npos && filled.find('@') != std::string::npos)
      throw Error(ErrorKind::kBug, fmt::format("{} has a name without a value: {}", name, filled));
    return filled;
  }

  fs::path folder_;
  Values values_;
  std::string text_;
};

/// What stands behind the first `directive` from `at` on, up to its semicolon, where `at` is then.
std::string next_arguments(const Words& words, std::string_view directive, Words::const_iterator& at) {
  std::string arguments;
  at = std::find(at, words.end(), directive);
  while (at != words.end() && ++at != words.end() && *at != ";")
    arguments += (arguments.empty() ? "" : " ") + *at;
  return arguments;
}

std::string find_arguments(const Words& words, std::string_view directive) {
  auto at = words.begin();
  return next_arguments(words, directive, at);
}

}  // namespace

bool is_network(const std::string& text) {
  const auto slash = std::min(text.find('/'), text.size());
  const std::string address = text.substr(0, slash);
  in6_addr ignored{};  // has room for an address of either kind
  const bool is_ipv4 = ::inet_pton(AF_INET, address.c_str(), &ignored) == 1;
  if (!is_ipv4 && ::inet_pton(AF_INET6, address.c_str(), &ignored) != 1) return false;
  if (slash == text.size()) return true;
  const std::string bits = text.substr(slash + 1);
  return !bits.empty() && bits.size() <= 3 && bits.find_first_not_of("0123456789") == std::string::npos &&
         std::stoi(bits) <= (is_ipv4 ? 32 : 128);
}

std::string render_site(const std::string& templates_dir, const SiteValues& values) {
  check(values);
  Rendering rendering(templates_dir, {{"LISTEN", listen_lines(values)},
                                      {"TLS", tls_lines(values)},
                                      {"SERVER_NAME", values.server_name},
                                      {"RUNTIME_DIR", values.runtime_dir},
                                      {"WWW_DIR", values.www_dir},
                                      {"ACCESS_LOG", access_log(values)},
                                      {"METRICS_ALLOW", metrics_lines(values)},
                                      {"STREAMS", std::to_string(values.streams)}});
  rendering.add_file("generate-project.conf.in", "");
  return rendering.take();
}

SiteValues parse_site(std::string_view text) {
  const auto words = configuration_words(text);
  SiteValues values;
  const std::string listen = find_arguments(words, "listen");
  values.port = std::atoll(listen.c_str() + listen.rfind(':') + 1);  // npos + 1 is 0
  values.server_name = find_arguments(words, "server_name");
  values.tls_cert = find_arguments(words, "ssl_certificate");
  values.tls_key = find_arguments(words, "ssl_certificate_key");
  for (auto at = words.begin(); at != words.end();) {
    const std::string network = next_arguments(words, "allow", at);
    if (!network.empty() && !is_this_host(network)) values.metrics_allow.push_back(network);
  }
  const std::string log = find_arguments(words, "access_log");
  values.access_log = log.substr(0, log.find(' '));
  return values;
}

}  // namespace gp::ctl
