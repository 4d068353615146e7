// The site of nginx, with the real nginx as judge, the steps of setup, and what the command line refuses.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/config.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/unique_fd.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/nginx_limits.h"
#include "handlers/ctl/nginx_site.h"
#include "tests/support/shell.h"

namespace fs = std::filesystem;
using gp::Error;
using gp::ErrorKind;
using gp::ctl::SiteValues;

namespace {

const std::string kTemplates = std::string(GP_SOURCE_DIR) + "/nginx";

SiteValues values() {
  SiteValues values;
  values.port = support::free_port();
  values.runtime_dir = "/run/generate-project";
  values.www_dir = "/usr/share/generate-project/www";
  values.streams = 576;
  values.has_ipv6 = false;
  values.access_log = "off";
  return values;
}

/// A folder as /etc/nginx is one.
struct Nginx : support::TempFolder {
  Nginx() {
    for (const char* folder : {"sites-available", "sites-enabled", "logs"})
      fs::create_directories(path() + "/" + folder);
    write("nginx.conf", fmt::format("pid {0}/nginx.pid;\nerror_log {0}/logs/error.log;\nevents {{ }}\n"
                                    "http {{\n  access_log off;\n  client_body_temp_path {0}/body;\n"
                                    "  proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/fastcgi;\n"
                                    "  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n"
                                    "  include {0}/sites-enabled/*;\n}}\n",
                                    path()));
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path() + "/" + name) << text;
  }
  std::string available() const { return gp::ctl::site_places(path()).available; }
  std::string enabled() const { return gp::ctl::site_places(path()).enabled; }
  std::string certificate() const { return path() + "/cert.pem"; }
  std::string key() const { return path() + "/key.pem"; }
  void make_certificate() const {
    support::run_or_throw(
        fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
                    "-subj /CN=localhost -keyout {} -out {}",
                    key(), certificate()));
  }
  /// Runs it with what is enabled, and `events` in its events block, until this goes.
  void start(const std::string& events = "") const {
    std::string text = support::read_file(path() + "/nginx.conf");
    text.replace(text.find("events { }"), 10, "events { " + events + " }");
    write("nginx.conf", (::geteuid() == 0 ? "user root;\n" : "") + text);
    command({});
  }
  ~Nginx() {
    if (fs::exists(path() + "/nginx.pid")) command({"-s", "stop"});
  }
  std::string error_log() const { return support::read_file(path() + "/logs/error.log"); }
  bool is_there() const { return fs::exists(available()) || fs::is_symlink(enabled()); }

 private:
  void command(const std::vector<std::string>& options) const {
    support::run(fmt::format("{} </dev/null >{}/logs/nginx 2>&1",
                             fmt::join(gp::ctl::nginx_command(path(), options), " "), path()));
  }
};

/// A connection that has sent the first half of a request.
gp::UniqueFd half_a_request(std::int64_t port) {
  gp::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  BOOST_REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string_view half = "GET / HTTP/1.1\r\n";
  BOOST_REQUIRE(::send(fd.get(), half.data(), half.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(half.size()));
  return fd;
}

/// The status and the kind of what curl gets, as "413 application/problem+json".
std::string fetched(const std::string& arguments) {
  return support::run("curl -sk -o /dev/null --max-time 5 -w '%{http_code} %{content_type}' " + arguments)
      .output;
}

/// What the command line prints, for a host with nothing of the package's but its files and what is in
/// `etc_dir`.
std::string generate_project(const std::string& arguments, const std::string& etc_dir = "/nonexistent") {
  ::setenv("GP_ETC_DIR", etc_dir.c_str(), 1);
  ::setenv("GP_DATA_DIR", GP_SOURCE_DIR, 1);
  CLI::App app;
  gp::ctl::Chosen chosen;
  gp::ctl::add_commands(app, chosen);
  app.parse(arguments);
  const support::TempFolder folder;
  const std::string file = folder.path() + "/stdout";
  std::fflush(stdout);
  const gp::UniqueFd stdout_before(::dup(STDOUT_FILENO));
  const gp::UniqueFd output(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ::dup2(output.get(), STDOUT_FILENO);
  chosen();
  std::fflush(stdout);
  ::dup2(stdout_before.get(), STDOUT_FILENO);
  return support::read_file(file);
}

/// What the command line says to arguments that it refuses; empty where it takes them. Runs nothing.
std::string refusal(const std::string& arguments) {
  CLI::App app;
  gp::ctl::Chosen chosen;
  gp::ctl::add_commands(app, chosen);
  try {
    app.parse(arguments);
    return {};
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    app.exit(error, text, text);
    return text.str();
  }
}

bool is_conflict(const Error& error) { return error.kind() == ErrorKind::kConflict; }
bool is_unavailable(const Error& error) { return error.kind() == ErrorKind::kUnavailable; }
bool is_bad_input(const Error& error) { return error.kind() == ErrorKind::kBadInput; }
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(site)

BOOST_AUTO_TEST_CASE(the_site_is_one_file_with_every_name_filled_in) {
  auto given = values();
  given.server_name = "projects.school.ae";
  const std::string text = gp::ctl::render_site(kTemplates, given);
  BOOST_TEST(holds(text, fmt::format("listen {} backlog=4096 sndbuf=32k;", given.port)));
  BOOST_TEST(holds(text, "server_name projects.school.ae;"));
  BOOST_TEST(holds(text, "fastcgi_pass unix:/run/generate-project/events.sock;"));
  BOOST_TEST(holds(text, "location = /health/ready {"));
  BOOST_TEST(holds(text, "limit_conn generate_project_streams 576;"));
  BOOST_TEST(!holds(text, "SNIPPETS_DIR"));
  BOOST_TEST(!holds(text, "[::]"));
  BOOST_TEST(!holds(text, "ssl_certificate"));
}

BOOST_FIXTURE_TEST_CASE(nginx_takes_the_site_and_it_goes_without_a_trace, Nginx) {
  const std::string text = gp::ctl::render_site(kTemplates, values());
  BOOST_TEST(gp::ctl::enable_site(path(), text));
  BOOST_TEST(fs::read_symlink(enabled()).string() == available());
  BOOST_TEST(!gp::ctl::enable_site(path(), text));  // nothing to do
  write("sites-enabled/other", "# somebody else's\n");
  BOOST_TEST(gp::ctl::disable_site(path()).was_there);
  BOOST_TEST(!is_there());
  BOOST_TEST(fs::exists(path() + "/sites-enabled/other"));
  BOOST_TEST(!gp::ctl::disable_site(path()).was_there);
}

BOOST_FIXTURE_TEST_CASE(a_site_that_nginx_refuses_leaves_everything_as_before, Nginx) {
  BOOST_CHECK_EXCEPTION(
      gp::ctl::enable_site(path(), "this is no configuration;\n"), Error,
      [](const Error& error) { return is_conflict(error) && holds(error.what(), "unknown directive"); });
  BOOST_TEST(!is_there());
  const std::string text = gp::ctl::render_site(kTemplates, values());
  gp::ctl::enable_site(path(), text);
  const std::string before = support::read_file(available());
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text + "no more;\n"), Error, is_conflict);
  BOOST_TEST(support::read_file(available()) == before);
  BOOST_TEST(fs::is_symlink(enabled()));
}

BOOST_FIXTURE_TEST_CASE(files_that_somebody_else_made_are_left_alone, Nginx) {
  const std::string text = gp::ctl::render_site(kTemplates, values());
  write("sites-available/generate-project.conf", "# by hand\n");
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text), Error, is_conflict);
  BOOST_CHECK_EXCEPTION(gp::ctl::disable_site(path()), Error, is_conflict);
  BOOST_TEST(support::read_file(available()) == "# by hand\n");
  fs::remove(available());
  write("sites-enabled/generate-project.conf", "# by hand\n");
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text), Error, is_conflict);
  BOOST_TEST(support::read_file(enabled()) == "# by hand\n");
}

BOOST_FIXTURE_TEST_CASE(a_site_with_tls_is_taken_and_one_whose_certificate_is_missing_is_not, Nginx) {
  auto given = values();
  given.tls_cert = certificate();
  given.tls_key = key();
  const std::string text = gp::ctl::render_site(kTemplates, given);
  BOOST_TEST(holds(text, fmt::format("listen {} ssl http2 backlog=4096 sndbuf=32k;", given.port)));
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text), Error, is_conflict);
  BOOST_TEST(!is_there());
  make_certificate();
  BOOST_TEST(gp::ctl::enable_site(path(), text));
}

BOOST_FIXTURE_TEST_CASE(a_body_that_is_too_large_is_a_problem_over_every_version_of_http, Nginx) {
  auto given = values();
  given.tls_cert = certificate();
  given.tls_key = key();
  make_certificate();
  gp::ctl::enable_site(path(), gp::ctl::render_site(kTemplates, given));
  start();
  write("large", std::string(80'000, 'x'));
  for (const char* version : {"--http1.1", "--http2"}) {
    for (const char* target : {"/start", "/nothing", "/events/stream"}) {
      const std::string answer = fetched(fmt::format("{} --data-binary @{}/large https://localhost:{}{}",
                                                     version, path(), given.port, target));
      BOOST_TEST(answer == "413 application/problem+json", version << " " << target << ": " << answer);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(an_nginx_without_a_connection_left_stops_no_eventsource, Nginx) {
  const auto given = values();
  gp::ctl::enable_site(path(), gp::ctl::render_site(kTemplates, given));
  constexpr int kConnections = 24;
  start(fmt::format("worker_connections {};", kConnections));
  const auto ask = [&](const char* target) {
    return fetched(fmt::format("http://127.0.0.1:{}{}?run_id=x", given.port, target));
  };
  std::vector<gp::UniqueFd> others;
  const auto is_full = [&] { return holds(error_log(), "not enough while connecting to upstream"); };
  while (!is_full() && others.size() < kConnections) {
    const std::string stream = ask("/events/stream");
    BOOST_TEST((stream == "200 text/event-stream; charset=utf-8" || stream == "000 "), stream);
    const std::string poll = ask("/events");
    BOOST_TEST((poll == "503 application/problem+json" || poll == "000 "), poll);
    others.push_back(half_a_request(given.port));
  }
  BOOST_TEST(is_full());
}

BOOST_FIXTURE_TEST_CASE(what_is_not_given_again_stays_as_it_is_until_the_site_is_disabled, Nginx) {
  make_certificate();
  const std::string enable = "nginx-site --enable --nginx-dir " + path();
  const int port = support::free_port();
  generate_project(fmt::format(
      "{} --port {} --server-name \"a.example b.example\" --tls-cert {} --tls-key {} --access-log {}", enable,
      port, certificate(), key(), path() + "/logs/access.log"));
  const std::string before = support::read_file(available());
  BOOST_TEST(holds(generate_project(enable), fmt::format("port {} with TLS", port)));
  BOOST_TEST(support::read_file(available()) == before);
  generate_project(enable + " --server-name c.example");
  const auto site = gp::ctl::find_site(path()).value();
  BOOST_TEST(site.port == port);
  BOOST_TEST(site.server_name == "c.example");
  BOOST_TEST(site.tls_cert == certificate());
  BOOST_TEST(site.tls_key == key());
  BOOST_TEST(site.access_log == path() + "/logs/access.log");
  generate_project("nginx-site --disable --nginx-dir " + path());
  BOOST_TEST(!gp::ctl::find_site(path()).has_value());
  generate_project(fmt::format("{} --port {} --access-log off", enable, port));
  BOOST_TEST(gp::ctl::find_site(path()).value().server_name == "_");
  BOOST_TEST(!holds(support::read_file(available()), "ssl"));
}

BOOST_AUTO_TEST_CASE(what_a_site_was_made_of_is_read_back) {
  auto given = values();
  given.server_name = "a.example *.b.example";
  given.tls_cert = "/etc/ssl/cert.pem";
  given.tls_key = "/etc/ssl/key.pem";
  given.has_ipv6 = true;
  given.access_log = SiteValues{}.access_log;
  const auto site = gp::ctl::parse_site(gp::ctl::render_site(kTemplates, given));
  BOOST_TEST(site.port == given.port);
  BOOST_TEST(site.server_name == given.server_name);
  BOOST_TEST(site.tls_cert == given.tls_cert);
  BOOST_TEST(site.tls_key == given.tls_key);
  BOOST_TEST(site.access_log == "/var/log/nginx/generate-project.access.log");
  BOOST_TEST(gp::ctl::parse_site(gp::ctl::render_site(kTemplates, values())).access_log == "off");
  BOOST_TEST(gp::ctl::parse_site(gp::ctl::render_site(kTemplates, values())).tls_cert.empty());
  BOOST_TEST(gp::ctl::parse_site("server { listen [::]:81; }").port == 81);
  BOOST_TEST(gp::ctl::parse_site("listen").port == 0);
}

BOOST_FIXTURE_TEST_CASE(a_site_that_nginx_would_pass_over_for_another_one_is_refused, Nginx) {
  auto given = values();
  const auto other = [&](const char* name) {
    write("sites-enabled/default",
          fmt::format("server {{ listen {}; server_name {}; }}\n", given.port, name));
  };
  other("_");
  BOOST_CHECK_EXCEPTION(
      gp::ctl::enable_site(path(), gp::ctl::render_site(kTemplates, given)), Error,
      [](const Error& error) { return is_conflict(error) && holds(error.what(), "sites-enabled/default"); });
  BOOST_TEST(!is_there());
  given.server_name = "a.example B.example";
  other("b.example");
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), gp::ctl::render_site(kTemplates, given)), Error,
                        is_conflict);
  other("c.example c.example");  // a warning, but none of this site's
  BOOST_TEST(gp::ctl::enable_site(path(), gp::ctl::render_site(kTemplates, given)));
}

BOOST_FIXTURE_TEST_CASE(a_site_that_nginx_does_not_read_is_refused_whenever_it_is_enabled, Nginx) {
  const std::string text = gp::ctl::render_site(kTemplates, values());
  const std::string reading = support::read_file(path() + "/nginx.conf");
  std::string passing_over = reading;
  passing_over.replace(passing_over.find("sites-enabled"), 13, "conf.d");
  const auto is_told = [](const Error& error) {
    return is_conflict(error) && holds(error.what(), "sites-enabled/*;");
  };
  write("nginx.conf", passing_over);
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text), Error, is_told);
  BOOST_TEST(!is_there());
  write("nginx.conf", reading);
  BOOST_TEST(gp::ctl::enable_site(path(), text));
  BOOST_TEST(gp::ctl::is_site_read(path()).value());
  write("nginx.conf", passing_over);
  BOOST_CHECK_EXCEPTION(gp::ctl::enable_site(path(), text), Error, is_told);
  BOOST_TEST(!gp::ctl::is_site_read(path()).value());
  write("nginx.conf", "nonsense;");
  BOOST_TEST(!gp::ctl::is_site_read(path()).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_site_that_was_edited_is_not_overwritten_and_is_kept_when_it_goes, Nginx) {
  const std::string enable = fmt::format("nginx-site --enable --access-log off --nginx-dir {}", path());
  generate_project(fmt::format("{} --port {}", enable, support::free_port()));
  const std::string edited = support::read_file(available()) + "# mine\n";
  std::ofstream(available()) << edited;
  BOOST_CHECK_EXCEPTION(generate_project(enable + " --server-name a.example"), Error, [](const Error& error) {
    return is_conflict(error) && holds(error.what(), "edited by hand");
  });
  BOOST_TEST(support::read_file(available()) == edited);
  const std::string kept = available() + ".edited";
  BOOST_TEST(holds(generate_project("nginx-site --disable --nginx-dir " + path()), kept));
  BOOST_TEST(!is_there());
  BOOST_TEST(support::read_file(kept) == edited);
  generate_project(fmt::format("{} --port {}", enable, support::free_port()));
  generate_project("nginx-site --disable --nginx-dir " + path());
  BOOST_TEST(support::read_file(kept) == edited);
}

BOOST_FIXTURE_TEST_CASE(who_may_read_the_metrics_is_kept_until_others_are_named, Nginx) {
  const std::string enable = fmt::format("nginx-site --enable --access-log off --nginx-dir {}", path());
  generate_project(fmt::format("{} --port {} --metrics-allow 10.0.0.0/8 --metrics-allow 2001:db8::1", enable,
                               support::free_port()));
  generate_project(enable + " --server-name a.example");
  BOOST_TEST(holds(support::read_file(available()),
                   "        allow ::1;\n        allow 10.0.0.0/8;\n        allow 2001:db8::1;\n"
                   "        deny all;\n"));
  generate_project(enable + " --metrics-allow 127.0.0.1");
  BOOST_TEST(gp::ctl::find_site(path()).value().metrics_allow.empty());
  for (const char* wrong : {"all", "10.0.0.0/33", "10.0.0.0/", "::1/129", "10.0.0.0/-1", "1;", "unix:"}) {
    BOOST_TEST(!gp::ctl::is_network(wrong), wrong);
    for (const char* command : {"nginx-site --enable", "setup"})
      BOOST_TEST(holds(refusal(fmt::format("{} --metrics-allow {}", command, wrong)), "--metrics-allow"));
  }
}

BOOST_FIXTURE_TEST_CASE(a_port_that_another_program_has_is_refused_and_one_of_nginx_itself_is_not, Nginx) {
  const int port = support::free_port();
  BOOST_CHECK_NO_THROW(gp::ctl::require_port(path(), port));
  const gp::UniqueFd other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  BOOST_REQUIRE(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(other.get(), 1) == 0);
  BOOST_CHECK_EXCEPTION(gp::ctl::require_port(path(), port), Error, is_conflict);
  write("sites-enabled/mine", fmt::format("server {{ listen 127.0.0.1:{}; }}\n", port));
  BOOST_CHECK_NO_THROW(gp::ctl::require_port(path(), port));
}

BOOST_FIXTURE_TEST_CASE(a_port_that_another_program_has_on_an_address_of_ipv6_alone_is_refused, Nginx) {
  const gp::UniqueFd other(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const int port = support::free_port();
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    BOOST_TEST_MESSAGE("skipped: there is no IPv6 here");
    return;
  }
  BOOST_REQUIRE(::listen(other.get(), 1) == 0);
  BOOST_CHECK_EXCEPTION(gp::ctl::require_port(path(), port), Error, is_conflict);
  write("sites-enabled/mine", fmt::format("server {{ listen [::1]:{}; }}\n", port));
  BOOST_CHECK_NO_THROW(gp::ctl::require_port(path(), port));
}

BOOST_FIXTURE_TEST_CASE(a_host_without_nginx_or_without_the_templates_is_something_that_cannot_be_reached,
                        support::TempFolder) {
  BOOST_CHECK_EXCEPTION(gp::ctl::read_nginx_limits(path()), Error, is_unavailable);
  BOOST_CHECK_EXCEPTION(gp::ctl::render_site(path(), values()), Error, is_unavailable);
}

BOOST_AUTO_TEST_CASE(a_value_that_could_begin_another_directive_is_refused) {
  const auto render = [](const SiteValues& given) { gp::ctl::render_site(kTemplates, given); };
  auto given = values();
  given.server_name = "x; } server { listen 1";
  BOOST_CHECK_EXCEPTION(render(given), Error, is_bad_input);
  given = values();
  given.tls_cert = "/etc/ssl/cert.pem";
  BOOST_CHECK_EXCEPTION(render(given), Error, is_bad_input);
  given.tls_key = "relative.pem";
  BOOST_CHECK_EXCEPTION(render(given), Error, is_bad_input);
  given = values();
  given.access_log = "logs/access.log";
  BOOST_CHECK_EXCEPTION(render(given), Error, is_bad_input);
  given = values();
  given.port = 0;
  BOOST_CHECK_EXCEPTION(render(given), Error, is_bad_input);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(setup)

BOOST_FIXTURE_TEST_CASE(the_services_that_read_a_new_secret_are_restarted_and_no_other, support::TempFolder) {
  std::ofstream(path() + "/key") << "sk-x\n";
  const std::string with_key = "setup --dry-run --openai-api-key-file " + path() + "/key";
  BOOST_TEST(holds(generate_project(with_key),
                   "systemctl try-restart generate-project-start.service generate-project-status.service "
                   "generate-project-health.service generate-project-events.service "
                   "generate-project-worker.service\n"));
  std::ofstream(path() + "/generate-project.conf") << "DATABASE_URL=postgresql:///elsewhere\n";
  BOOST_TEST(
      holds(generate_project(with_key, path()), "systemctl try-restart generate-project-worker.service\n"));
  BOOST_TEST(!holds(generate_project("setup --dry-run", path()), "try-restart"));
}

BOOST_FIXTURE_TEST_CASE(what_only_the_shell_of_root_sets_is_named_and_counts_for_nothing,
                        support::TempFolder) {
  std::ofstream(path() + "/generate-project.conf") << "MODEL_PRIMARY=m\n";
  const std::map<std::string, std::string> shell = {{"DATABASE_URL", "postgresql:///elsewhere"},
                                                    {"MODEL_PRIMARY", "m"},
                                                    {"PORT", "8080"},
                                                    {"PGHOST", "elsewhere"}};
  for (const auto& [name, value] : shell) ::setenv(name.c_str(), value.c_str(), 1);
  const std::string output = generate_project("setup --dry-run", path());
  for (const auto& [name, value] : shell) ::unsetenv(name.c_str());
  BOOST_TEST(holds(output, "this shell sets DATABASE_URL, PGHOST, which the services do not see"), output);
  BOOST_TEST(holds(output, "credentials/DATABASE_URL: this host's PostgreSQL"), output);
  BOOST_TEST(!holds(generate_project("setup --dry-run", path()), "this shell sets"));
}

BOOST_FIXTURE_TEST_CASE(a_key_of_several_lines_is_refused_before_it_is_stored, support::TempFolder) {
  std::ofstream(path() + "/key") << "sk-x\nX-Evil: 1\n";
  BOOST_CHECK_THROW(generate_project("setup --dry-run --openai-api-key-file " + path() + "/key"),
                    gp::ConfigError);
}

BOOST_AUTO_TEST_CASE(a_port_or_a_part_that_a_later_step_would_refuse_is_refused_at_once) {
  for (const char* port : {"abc", "0", "65536"})
    BOOST_TEST(holds(refusal(fmt::format("setup --port {}", port)), "--port"), port);
  BOOST_TEST(holds(refusal("setup --skip-check bogus"), "--skip-check"));
  BOOST_TEST(refusal("setup --port 8443 --skip-check llm --skip-check nginx") == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_FIXTURE_TEST_CASE(doctor_reports_a_wrong_line_and_looks_at_everything_else, support::TempFolder) {
  if (gp::ctl::is_user(gp::ctl::kServiceUser)) return;  // installed here: root would become that account
  std::ofstream(path() + "/generate-project.conf") << "no equals\nOPENAI_API_KEY_FILE=/nowhere\n";
  const auto report = [&] {
    return gp::parse_json(generate_project(
        "doctor --json --skip nginx --skip database --skip llm --skip log_folder --skip spool", path()));
  };
  const auto has = [](const gp::Json& json, const std::string& check) {
    return std::ranges::any_of(json.at("findings"),
                               [&](const gp::Json& finding) { return finding.at("check") == check; });
  };
  const auto with_both = report();
  for (const char* check : {"settings.file", "settings.OPENAI_API_KEY_FILE", "settings.DATABASE_URL"})
    BOOST_TEST(has(with_both, check), gp::dump_json(with_both));
  std::ofstream(path() + "/generate-project.conf") << "no equals\nDATABASE_URL=x\n";
  const auto with_a_line = report();
  for (const char* check : {"settings.file", "settings.PRICES_FILE", "clock"})
    BOOST_TEST(has(with_a_line, check), gp::dump_json(with_a_line));
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_exist_is_named) {
  BOOST_TEST(holds(refusal("sttings"), "There is no such command: sttings"));
  BOOST_TEST(holds(refusal("sttings --sample"), "There is no such command: sttings"));
  BOOST_TEST(holds(refusal("--smaple"), "There is no such option: --smaple"));
  BOOST_TEST(holds(refusal(""), "subcommand is required"));
  BOOST_TEST(holds(refusal("tail"), "run_id is required"));
}

BOOST_AUTO_TEST_CASE(an_event_id_that_is_none_is_refused_with_a_range_that_can_be_read) {
  for (const char* id : {"x", "-1", "1.5", "1000000001"}) {
    const std::string text = refusal(fmt::format("tail r --after {}", id));
    BOOST_TEST(holds(text, fmt::format("Value {} not in range 0 to 1000000000\n", id)), text);
  }
  BOOST_TEST(refusal("tail r --after 0") == "");
}

BOOST_AUTO_TEST_SUITE_END()
