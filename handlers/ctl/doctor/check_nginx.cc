#include <filesystem>

#include <fmt/format.h>

#include "core/base/error.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/nginx_limits.h"
#include "handlers/ctl/nginx_site.h"

namespace gp::ctl::doctor {
namespace {

Finding check_site(const std::string& nginx_dir, std::optional<bool> is_read) {
  const SitePlaces places = site_places(nginx_dir);
  std::error_code ignored;
  if (!std::filesystem::exists(places.enabled, ignored))
    return warn("nginx.site", "the service's site is not active", "generate-project nginx-site --enable");
  if (!is_read)
    return ok("nginx.site", places.enabled + " is there; nginx -T, as root, says whether nginx reads it");
  if (*is_read) return ok("nginx.site", places.enabled + " is active");
  return fail("nginx.site", fmt::format("nginx does not read {}", places.enabled),
              unread_site_advice(nginx_dir));
}

/// Nothing where it runs: the other findings say that there is one.
Findings check_running(const std::string& nginx_dir) {
  if (!is_nginx_stopped(nginx_dir)) return {};
  return {warn("nginx.service", "nginx does not run: nobody reaches the service",
               "systemctl enable --now nginx")};
}

/// Of the connections of a worker three quarters may be streams', and each takes two.
std::int64_t connections_for(std::int64_t streams, std::int64_t workers) {
  return (streams * 8 / 3 + workers - 1) / workers;
}

Finding judge_limits(const NginxLimits& limits, std::int64_t streams) {
  const std::string state = fmt::format(
      "room for {} streams: {} workers, {} connections and {} files each", limits.streams(), limits.workers,
      limits.connections,
      limits.files == 0 ? "the system's " + std::to_string(kUsualFiles) : std::to_string(limits.files));
  if (limits.streams() >= streams) return ok("nginx.limits", state);
  const auto needed = connections_for(streams, limits.workers);
  return warn(
      "nginx.limits", fmt::format("{}; SSE_MAX_STREAMS * EVENTS_PROCESSES is {}", state, streams),
      fmt::format("in nginx.conf set worker_connections {} in events, and worker_rlimit_nofile {} above it; "
                  "then generate-project nginx-site --enable again",
                  needed, needed + 1000));
}

/// Of several the stream handler leaves one free.
Finding one_worker() {
  return warn("nginx.workers",
              "nginx has one worker: whatever it is asked waits while it passes events on to many streams",
              "in nginx.conf set worker_processes to one more than there are processors");
}

}  // namespace

Findings check_nginx(const Config& config, const std::string& nginx_dir, std::optional<bool> is_read) {
  try {
    const NginxLimits limits = read_nginx_limits(nginx_dir);
    Findings findings = check_running(nginx_dir);
    findings.push_back(check_site(nginx_dir, is_read));
    findings.push_back(judge_limits(limits, config.sse_max_streams * config.events_processes));
    if (limits.workers < 2) findings.push_back(one_worker());
    return findings;
  } catch (const Error& error) {
    return {warn("nginx.site", error.what(),
                 "apt install nginx, or let another web server speak FastCGI to the sockets")};
  }
}

}  // namespace gp::ctl::doctor
