// setup [--dry-run] [--openai-api-key-file FILE] [--port N ...]   makes a host with Debian's postgresql and
// nginx serve: role and database, credentials, tables, a look by doctor, the site of nginx, the service. As
// root. Each step says what it does; whatever is there already is left as it is, so it may be run again after
// a failure. Where the worker is disabled or masked the host only serves, and no key is asked for. What it
// asks for is what the services will see: a setting of root's shell, which they do not, ends it before it
// begins.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/config.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/doctor/checks.h"
#include "handlers/ctl/host.h"
#include "handlers/ctl/nginx_site.h"
#include "handlers/ctl/program.h"
#include "handlers/ctl/units.h"

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr const char* kLocalDatabase = "postgresql:///generate-project";

struct Options {
  bool dry_run = false;
  std::string key_file;
  std::string nginx_dir = kDefaultNginxDir;
  std::vector<std::string> site;  ///< options for nginx-site
  std::vector<std::string> skip;  ///< parts for doctor to leave out
};

[[noreturn]] void stop(const std::string& what, const std::string& advice) {
  throw Error(ErrorKind::kUnavailable,
              fmt::format("{}\n  -> {}\n  Then run setup again, as before.", what, advice));
}

std::string trimmed(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  return text;
}

std::string credential_path(const char* name) { return fmt::format("{}/credentials/{}", etc_dir(), name); }

bool is_set(const char* name) {
  const auto value = service_environment()(name);
  return value && !value->empty();
}

/// Settings, and what libpq reads, that this shell has and the services do not, or not so.
Words unseen_by_services() {
  const Environment shell = process_environment();
  const Environment services = service_environment();
  Words names;
  for (const Setting& setting : settings()) {
    const std::string value = shell(setting.name).value_or("");
    const std::string theirs = services(setting.name).value_or(std::string(setting.default_value));
    if (!value.empty() && value != theirs) names.emplace_back(setting.name);
  }
  for (char** each = ::environ; *each != nullptr; ++each) {
    const std::string line = *each;
    const auto equals = std::min(line.find('='), line.size() - 1);
    if (line.starts_with("PG") && line.substr(equals + 1) != services(line.substr(0, equals)).value_or(""))
      names.push_back(line.substr(0, equals));
  }
  return names;
}

/// What the first unit that has failed said last.
std::string last_words(const std::vector<UnitState>& units) {
  const auto failed = std::ranges::find_if(
      units, [](const UnitState& unit) { return is_enabled(unit) && unit.active == "failed"; });
  if (failed == units.end()) return {};
  return trimmed(
      run_program({"journalctl", "--no-pager", "--output=cat", "--lines=5", "--unit", failed->name}).output);
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos ||
         ("\n" + text).find("\n" + line + "|") != std::string::npos;
}

/// psql and its kin as the owner of Debian's cluster, which knows that account without a password.
Words as_postgres(Words words) {
  Words all = {"runuser", "-u", "postgres", "--"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

class Setup {
 public:
  explicit Setup(const Options& options) : options_(options) {}

  void run() {
    check_host();
    check_shell();
    add_credentials();
    if (uses_local_database()) {
      add_role();
      add_database();
    }
    migrate();
    restart_readers();
    examine();
    enable_site();
    start();
  }

 private:
  bool uses_local_database() const {
    return service_environment()("DATABASE_URL").value_or(kLocalDatabase) == kLocalDatabase;
  }

  static void say(const std::string& text) {
    fmt::print("== {}\n", text);
    std::fflush(stdout);
  }

  /// Does one step by a program, or only shows it.
  ProgramOutcome step(const std::string& what, const Words& words) const {
    say(fmt::format("{}: {}", what, as_shell_line(words)));
    if (options_.dry_run) return {0, {}};
    auto outcome = run_program(words);
    if (!outcome.output.empty()) fmt::print("{}\n", trimmed(outcome.output));
    return outcome;
  }

  void require(const std::string& what, const Words& words, const std::string& advice) const {
    if (!step(what, words).is_good()) stop(what + ": failed", advice);
  }

  void check_host() const {
    say("looking at this host");
    if (options_.dry_run) return;
    if (::geteuid() != 0) stop("setup makes accounts and starts services", "run it as root");
    if (!is_user(kServiceUser)) {
      stop(fmt::format("there is no account {}", kServiceUser),
           "install the package: apt install ./generate-project_*.deb");
    }
    if (!fs::exists("/run/systemd/system"))
      stop("systemd does not run here", "see the manual page generate-project(8)");
  }

  void check_shell() const {
    const Words names = unseen_by_services();
    if (names.empty()) return;
    const std::string what =
        fmt::format("this shell sets {}, which the services do not see", fmt::join(names, ", "));
    if (options_.dry_run) return say(what + ": setup will end here");
    stop(what, fmt::format("unset it; what is to hold stands in {0}/generate-project.conf, a secret in "
                           "{0}/credentials, for example: printenv OPENAI_API_KEY | install -m 0600 "
                           "/dev/stdin {0}/credentials/OPENAI_API_KEY",
                           etc_dir()));
  }

  // Secrets
  // ---------------------------------------------------------------------------------------------------------

  void add_credentials() {
    if (!is_set("DATABASE_URL")) {
      say(fmt::format("writing {}: this host's PostgreSQL, by peer authentication",
                      credential_path("DATABASE_URL")));
      write_credential("DATABASE_URL", kLocalDatabase);
      readers_ = {"start", "status", "health", "events"};
      if (has_worker_) readers_.emplace_back("worker");
    }
    if (!options_.key_file.empty()) add_key();
    if (options_.dry_run || !has_worker_ || is_set("OPENAI_API_KEY")) return;
    stop("there is no key for the LLM provider",
         fmt::format(
             "write it to {} (owner root, mode 0600), or give setup --openai-api-key-file; for a server "
             "without keys any text will do",
             credential_path("OPENAI_API_KEY")));
  }

  void add_key() {
    say(fmt::format("copying the key to {}", credential_path("OPENAI_API_KEY")));
    const std::string key = read_key();
    write_credential("OPENAI_API_KEY", key);
    if (readers_.empty() && has_worker_) readers_ = {"worker"};
    if (options_.dry_run || service_environment()("OPENAI_API_KEY") == key) return;
    stop(fmt::format("{}/generate-project.conf holds another key, which goes before it", etc_dir()),
         "remove the line OPENAI_API_KEY, or OPENAI_API_KEY_FILE, there");
  }

  std::string read_key() const {
    std::ifstream file(options_.key_file, std::ios::binary);
    const std::string key = trimmed(std::string{std::istreambuf_iterator<char>(file), {}});
    if (key.empty())
      stop(fmt::format("there is no key in {}", options_.key_file), "name a file that holds it");
    require_sound(key);
    return key;
  }

  /// As the worker will judge it. Throws ConfigError.
  static void require_sound(const std::string& key) {
    const auto only_the_key = [&](std::string_view name) {
      return name == "OPENAI_API_KEY" ? std::optional(key) : std::nullopt;
    };
    load_config(only_the_key, {});
  }

  /// Nobody but root may read it at any moment.
  void write_credential(const char* name, const std::string& value) const {
    if (options_.dry_run) return;
    const std::string path = credential_path(name);
    const fs::path folder = fs::path(path).parent_path();
    fs::create_directories(folder);
    fs::permissions(folder, fs::perms::owner_all);
    const std::string draft = path + ".new";
    ::unlink(draft.c_str());
    const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const std::string text = value + "\n";
    const bool is_written =
        file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!is_written || ::rename(draft.c_str(), path.c_str()) != 0)
      stop(fmt::format("cannot write {}", path), "make room on that disk");
  }

  // The database
  // ----------------------------------------------------------------------------------------------------

  static constexpr const char* kDatabaseAdvice =
      "is Debian's postgresql installed and running? apt install postgresql; systemctl start postgresql. "
      "pg_lsclusters shows its clusters; where there is none: pg_createcluster 15 main --start. Or put the "
      "address of another server into the credential DATABASE_URL";

  std::string ask_postgres(const Words& words) const {
    if (options_.dry_run) return {};
    const auto outcome = run_program(as_postgres(words));
    if (!outcome.is_good())
      stop(fmt::format("PostgreSQL does not answer: {}", trimmed(outcome.output)), kDatabaseAdvice);
    return outcome.output;
  }

  void add_role() const {
    const Words list = {"psql", "-XAtq", "-c", fmt::format("\\du \"{}\"", kServiceUser)};
    if (has_line(ask_postgres(list), kServiceUser)) return say("the role is there");
    require("making the role",
            as_postgres({"createuser", "--no-superuser", "--no-createdb", "--no-createrole", kServiceUser}),
            kDatabaseAdvice);
  }

  void add_database() const {
    if (has_line(ask_postgres({"psql", "-XAtql"}), kServiceUser)) return say("the database is there");
    require("making the database",
            as_postgres({"createdb", "--encoding=UTF8", "--template=template0", "--owner", kServiceUser,
                         kServiceUser}),
            kDatabaseAdvice);
  }

  // This program itself
  // ------------------------------------------------------------------------------------------------------

  /// Another process of this program: what becomes the service's account there must not become it here.
  static Words self(Words words) {
    words.insert(words.begin(), fs::read_symlink("/proc/self/exe").string());
    return words;
  }

  void migrate() const { require("making the tables", self({"migrate"}), "see the message above"); }

  void examine() const {
    // The services are looked at where they have been started.
    Words words = self({"doctor", "--nginx-dir", options_.nginx_dir, "--skip", "services"});
    for (const std::string& part : options_.skip) {
      words.emplace_back("--skip");
      words.push_back(part);
    }
    require("looking at everything", words,
            "do what doctor says above; setup --skip-check llm leaves out a part");
  }

  void enable_site() const {
    Words words = self({"nginx-site", "--enable", "--nginx-dir", options_.nginx_dir});
    words.insert(words.end(), options_.site.begin(), options_.site.end());
    require("enabling the site of nginx", words,
            "see the message above; apt install nginx where it is missing");
    if (options_.dry_run || !is_nginx_stopped(options_.nginx_dir)) return;
    stop("nginx does not run, and nobody reaches the service but through it", "systemctl enable --now nginx");
  }

  // The service
  // -------------------------------------------------------------------------------------------------------

  /// A service that runs has its secrets as they were when it started. Not before the tables fit: it would
  /// end.
  void restart_readers() const {
    if (readers_.empty()) return;
    Words words = {"systemctl", "try-restart"};
    for (const std::string& name : readers_)
      words.push_back(fmt::format("generate-project-{}.service", name));
    require("restarting what runs, for the new secrets", words, "journalctl -u 'generate-project-*'");
  }

  void start() const {
    require("starting", {"systemctl", "enable", "--now", kTarget}, "journalctl -u 'generate-project-*'");
    if (options_.dry_run) return;
    start_units();
    say(fmt::format("it serves: GET /health/ready on port {} says how it is",
                    find_site(options_.nginx_dir).value_or(SiteValues{}).port));
  }

  /// `start` of units waits until each runs, or has failed. Where the target is active already its own start
  /// would wait for nothing.
  static void start_units() {
    Words words = {"systemctl", "start"};
    for (const UnitState& unit : read_units()) {
      if (is_enabled(unit)) words.push_back(unit.name);
    }
    say("waiting for the services");
    run_program(words);  // how it went is asked of the units
    const auto units = read_units();
    for (const Finding& finding : doctor::judge_services(units)) {
      if (finding.verdict != Finding::Verdict::kOk)
        stop(fmt::format("{}\n{}", finding.found, last_words(units)), finding.advice);
    }
  }

  const Options& options_;
  const bool has_worker_ = has_worker();
  Words readers_;  ///< the services that read a secret which was written here
};

ExitCode set_up(const Options& options) {
  Setup(options).run();
  return ExitCode::kOk;
}

}  // namespace

void add_setup(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<Options>();  // shared by the parser and what it chooses
  CLI::App* sub = app.add_subcommand("setup", "Make this host serve, with Debian's postgresql and nginx");
  sub->add_flag("--dry-run", options->dry_run, "Only show the steps");
  sub->add_option("--openai-api-key-file", options->key_file, "A file that holds the provider's key")
      ->check(CLI::ExistingFile);
  sub->add_option("--skip-check", options->skip, "A part for doctor to leave out; may be given several times")
      ->check(CLI::IsMember(doctor::parts()));
  sub->add_option("--nginx-dir", options->nginx_dir, "Where nginx.conf is")->capture_default_str();
  for (const char* name : {"--port", "--server-name", "--tls-cert", "--tls-key", "--access-log"}) {
    sub->add_option_function<std::string>(
        name,
        [options, name](const std::string& value) {
          options->site.emplace_back(name);
          options->site.push_back(value);
        },
        "As for nginx-site");
  }
  sub->add_option_function<Words>(
         "--metrics-allow",
         [options](const Words& networks) {
           for (const std::string& network : networks) {
             options->site.emplace_back("--metrics-allow");
             options->site.push_back(network);
           }
         },
         "As for nginx-site")
      ->check(as_network());
  sub->get_option("--port")->check(CLI::Range(1, 65535));
  sub->callback([=, &chosen] { chosen = [=] { return set_up(*options); }; });
}

}  // namespace gp::ctl
