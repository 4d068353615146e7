// nginx-site --enable [--port N] [--server-name NAMES] [--tls-cert FILE --tls-key FILE]
//                     [--access-log FILE] [--metrics-allow ADDRESS ...]
// nginx-site --disable
//   makes the service's site of Debian's nginx, or removes it. Edits nothing of nginx's own. Run again it
//   leaves what it is not given as it is in the site; --disable first begins anew, without TLS for one thing.

#include "handlers/ctl/nginx_site.h"

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "core/base/config.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/folder_state.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/nginx_limits.h"

namespace gp::ctl {
namespace {

struct Options {
  bool enable = false;
  bool disable = false;
  std::string nginx_dir = kDefaultNginxDir;
  SiteValues values;
};

bool has_ipv6() {
  std::error_code ignored;
  return std::filesystem::exists("/proc/net/if_inet6", ignored);
}

/// nginx would look for sockets where systemd does not make them.
void require_units_folder(const Config& config) {
  if (!is_run_by_systemd() || is_same_folder(config.runtime_dir, kUnitsRuntimeDir)) return;
  throw ConfigError({{"RUNTIME_DIR", fmt::format("'{}' is not allowed: systemd makes the sockets in {}",
                                                 config.runtime_dir, kUnitsRuntimeDir)}});
}

/// What is not given comes from the site that is there, else from the settings.
SiteValues complete(SiteValues values, const std::string& nginx_dir) {
  const Config config = load_config(host_environment(), {});
  require_units_folder(config);
  const SiteValues former = find_site(nginx_dir).value_or(SiteValues{});
  if (values.port == 0) values.port = former.port == 0 ? config.port : former.port;
  if (values.server_name.empty()) values.server_name = former.server_name;
  if (values.tls_cert.empty()) values.tls_cert = former.tls_cert;
  if (values.tls_key.empty()) values.tls_key = former.tls_key;
  if (values.metrics_allow.empty()) values.metrics_allow = former.metrics_allow;
  if (values.access_log.empty()) values.access_log = former.access_log;
  values.runtime_dir = config.runtime_dir;
  values.www_dir = data_dir() + "/www";
  values.streams = read_nginx_limits(nginx_dir).streams();
  values.has_ipv6 = has_ipv6();
  return values;
}

ExitCode apply(const Options& options) {
  const SitePlaces places = site_places(options.nginx_dir);
  if (options.disable) {
    const RemovedSite removed = disable_site(options.nginx_dir);
    fmt::print("{}\n", removed.was_there ? "removed " + places.available : "there is no such site");
    if (!removed.kept.empty()) fmt::print("it was edited by hand, and is kept as {}\n", removed.kept);
    return ExitCode::kOk;
  }
  const SiteValues values = complete(options.values, options.nginx_dir);
  require_port(options.nginx_dir, values.port);
  const bool is_new = enable_site(options.nginx_dir, render_site(data_dir() + "/nginx", values));
  fmt::print("{} {}: port {}{}, up to {} streams\n", is_new ? "enabled" : "unchanged:", places.enabled,
             values.port, values.tls_cert.empty() ? "" : " with TLS", values.streams);
  return ExitCode::kOk;
}

}  // namespace

CLI::Validator as_network() {
  return CLI::Validator(
      [](const std::string& text) {
        return is_network(text) ? "" : text + " is no address, nor ADDRESS/BITS";
      },
      "ADDRESS");
}

void add_nginx_site(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("nginx-site", "Enable or disable the service's site of nginx");
  CLI::Option_group* which = sub->add_option_group("what to do");
  which->add_flag("--enable", options->enable, "Render the site, test it, and have nginx read it");
  which->add_flag("--disable", options->disable, "Remove what --enable made");
  which->require_option(1);
  sub->add_option("--port", options->values.port, "The TCP port; of a new site PORT where it is not given")
      ->check(CLI::Range(1, 65535));
  options->values.server_name.clear();  // not given
  options->values.access_log.clear();
  sub->add_option("--server-name", options->values.server_name, "Host names; _, as in a new site, takes all");
  sub->add_option("--tls-cert", options->values.tls_cert, "Certificate chain, PEM; the port then speaks TLS");
  sub->add_option("--tls-key", options->values.tls_key, "Its key, PEM");
  sub->add_option("--access-log", options->values.access_log,
                  "A file for nginx's log of requests, or off; of a new site one in /var/log/nginx");
  sub->add_option("--metrics-allow", options->values.metrics_allow,
                  "Who may read /metrics beside this host: an address or ADDRESS/BITS; several times for "
                  "several; 127.0.0.1 for nobody")
      ->check(as_network());
  sub->add_option("--nginx-dir", options->nginx_dir, "Where nginx.conf is")->capture_default_str();
  sub->callback([=, &chosen] { chosen = [=] { return apply(*options); }; });
}

}  // namespace gp::ctl
