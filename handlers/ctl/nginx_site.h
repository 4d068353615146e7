#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gp::ctl {

/// Where the site is, in Debian's way.
struct SitePlaces {
  std::string available;  ///< sites-available/generate-project.conf: what is rendered
  std::string enabled;    ///< sites-enabled/generate-project.conf: a link to it
};

SitePlaces site_places(const std::string& nginx_dir);

inline constexpr const char* kDefaultNginxDir = "/etc/nginx";

/// What the templates in nginx/ are filled with.
struct SiteValues {
  std::int64_t port = 0;
  std::string server_name = "_";  ///< one or several host names; _ takes every one
  std::string tls_cert;           ///< PEM files, both or none; with them the port speaks TLS and HTTP/2
  std::string tls_key;
  std::vector<std::string>
      metrics_allow;  ///< who may read /metrics beside this host: addresses, ADDRESS/BITS
  std::string access_log = "/var/log/nginx/generate-project.access.log";  ///< or "off"
  std::string runtime_dir;
  std::string www_dir;
  std::int64_t streams = 0;
  bool has_ipv6 = true;
};

/// The whole site as one file, the snippets put in where the template includes them. Throws Error(kBadInput)
/// naming the option that cannot stand in a configuration, Error(kUnavailable) where a template is missing.
std::string render_site(const std::string& templates_dir, const SiteValues& values);

/// What render_site() made `text` of, as far as people choose it: port, host names, certificate, log and who
/// reads /metrics. A port of 0: there is none in it.
SiteValues parse_site(std::string_view text);

/// An address of IPv4 or IPv6, or a network as ADDRESS/BITS.
bool is_network(const std::string& text);

/// The same of the site that is there; nothing where this program has made none.
std::optional<SiteValues> find_site(const std::string& nginx_dir);

/// The words that run nginx with the configuration in `nginx_dir`.
std::vector<std::string> nginx_command(const std::string& nginx_dir, std::vector<std::string> options);

/// systemd runs the nginx of `nginx_dir`, and it is not running. False also where that is not known: of an
/// nginx that systemd does not run.
bool is_nginx_stopped(const std::string& nginx_dir);

/// Does nginx read the site that is enabled? Asks `nginx -T`. Nothing where that gives no answer: there is no
/// nginx, its configuration is faulty, or this account may not read all of it.
std::optional<bool> is_site_read(const std::string& nginx_dir);

/// What to do where it does not.
std::string unread_site_advice(const std::string& nginx_dir);

/// Throws Error(kConflict) where a program that is not nginx listens on `port`.
void require_port(const std::string& nginx_dir, std::int64_t port);

/// Puts `text` in its places, asks `nginx -t`, and has nginx read it; where nginx refuses it, does not read
/// its place, or would pass over it for another site with its name and port, everything is as before, and
/// Error(kConflict) says why. Files of the same names that this program did not make, or that were edited
/// since, are left alone: Error(kConflict). False where nothing had to be done.
bool enable_site(const std::string& nginx_dir, const std::string& text);

struct RemovedSite {
  bool was_there = false;
  std::string kept;  ///< where it is now, because it was edited; else empty
};

/// Removes what enable_site() made, and nothing else; a site that was edited since is put beside its place.
RemovedSite disable_site(const std::string& nginx_dir);

}  // namespace gp::ctl
