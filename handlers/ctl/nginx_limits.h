#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gp::ctl {

/// How much nginx may hold, by its configuration.
struct NginxLimits {
  std::int64_t workers = 1;
  std::int64_t connections = 512;  ///< worker_connections; nginx's default where it is not set
  std::int64_t files = 0;  ///< worker_rlimit_nofile; 0: not set, the system's limit (1,024 usually) holds

  /// Connections that a worker can really have: each takes a descriptor.
  std::int64_t usable_connections() const;

  /// How many streams fit into all workers: a stream takes two connections, and a quarter is left for
  /// everything else.
  std::int64_t streams() const;
};

inline constexpr std::int64_t kUsualFiles = 1024;  ///< the soft limit that systemd gives a service by default

/// Reads nginx.conf in `nginx_dir` and the files of modules-enabled, which stand in the main context too.
/// Throws Error(kUnavailable) where there is no nginx.conf.
NginxLimits read_nginx_limits(const std::string& nginx_dir);

/// The words of a configuration without its comments; `{`, `}` and `;` are words. Quotes are not understood.
std::vector<std::string> configuration_words(std::string_view text);

/// The limits that the text of a configuration sets, on top of `limits`.
NginxLimits parse_nginx_limits(std::string_view text, NginxLimits limits = {});

}  // namespace gp::ctl
