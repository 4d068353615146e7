// The site's two places under nginx's folder, and nginx itself.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/spool/crc32.h"
#include "handlers/ctl/nginx_site.h"
#include "handlers/ctl/program.h"

namespace gp::ctl {
namespace {

namespace fs = std::filesystem;

/// By how its first line begins a file is known as ours.
constexpr std::string_view kMark = "# Made by 'generate-project nginx-site --enable'";
constexpr std::string_view kLegend = ", whose options change it; '--disable' removes it.\n";

/// The second line: by this an edit is known.
std::string checksum_line(std::string_view site) {
  return fmt::format("# Checksum of what follows: {:08x}\n", spool::crc32(site));
}

std::string marked(const std::string& site) {
  return fmt::format("{}{}{}{}", kMark, kLegend, checksum_line(site), site);
}

bool is_edited(const std::string& content) {
  const std::string below = content.substr(std::min(content.find('\n'), content.size() - 1) + 1);
  const auto site = below.find('\n') + 1;  // npos + 1 is 0
  return below.substr(0, site) != checksum_line(std::string_view(below).substr(site));
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

/// Whole or not at all: nginx may be told to read its files at any moment.
void write_file(const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  {
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) throw Error(ErrorKind::kUnavailable, fmt::format("cannot write {}", draft));
  }
  ::chmod(draft.c_str(), 0644);
  fs::rename(draft, path);
}

void require_ours(const std::string& path, const std::optional<std::string>& content) {
  if (content && !content->starts_with(kMark)) {
    throw Error(ErrorKind::kConflict,
                fmt::format("{} was not made by this program, or was replaced: move it away first", path));
  }
}

void require_unedited(const std::string& path, const std::optional<std::string>& content) {
  if (!content || !is_edited(*content)) return;
  throw Error(
      ErrorKind::kConflict,
      fmt::format("{} was edited by hand, and would lose that: 'generate-project nginx-site --disable' "
                  "keeps it beside its place, and --enable then makes a new one. Options change what "
                  "a site may be changed in: generate-project nginx-site --help",
                  path));
}

bool is_our_link(const SitePlaces& places) {
  std::error_code ignored;
  return fs::is_symlink(places.enabled, ignored) &&
         fs::read_symlink(places.enabled, ignored) == places.available;
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

/// The state of both places, to go back to.
class Former {
 public:
  explicit Former(const SitePlaces& places)
      : places_(places), content_(read_file(places.available)), had_link_(exists(places.enabled)) {}

  const std::optional<std::string>& content() const { return content_; }
  bool had_link() const { return had_link_; }

  void restore() const {
    std::error_code ignored;
    if (!had_link_) fs::remove(places_.enabled, ignored);
    if (content_) {
      write_file(places_.available, *content_);
    } else {
      fs::remove(places_.available, ignored);
    }
  }

 private:
  const SitePlaces& places_;
  std::optional<std::string> content_;
  bool had_link_;
};

/// The nginx of `nginx_dir` is the one that systemd runs.
bool is_systemds(const std::string& nginx_dir) {
  return nginx_dir == kDefaultNginxDir && exists("/run/systemd/system");
}

/// Has a running nginx read its files again. One that does not run reads them when it starts.
void reload(const std::string& nginx_dir) {
  if (is_nginx_stopped(nginx_dir)) return;
  if (is_systemds(nginx_dir)) {
    const auto outcome = run_program({"systemctl", "reload", "nginx.service"});
    if (!outcome.is_good()) throw Error(ErrorKind::kUnavailable, "nginx was not reloaded: " + outcome.output);
    return;
  }
  // Its failure says that no nginx runs: the files themselves have just been tested.
  run_program(nginx_command(nginx_dir, {"-s", "reload"}));
}

/// Another site has a name of this one on its port. nginx takes the first and only warns of the second.
bool is_ambiguous(const std::string& warnings, SiteValues site) {
  std::ranges::transform(site.server_name, site.server_name.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  std::istringstream names(site.server_name);
  for (std::string name; names >> name;) {
    for (const char* address : {"0.0.0.0", "[::]"}) {
      const auto warning = fmt::format("conflicting server name \"{}\" on {}:{},", name, address, site.port);
      if (warnings.find(warning) != std::string::npos) return true;
    }
  }
  return false;
}

void require_accepted(const std::string& nginx_dir, const SiteValues& site, const Former& former) {
  const auto outcome = run_program(nginx_command(nginx_dir, {"-t"}));
  const bool is_refused = !outcome.is_good();
  if (!is_refused && !is_ambiguous(outcome.output, site)) return;
  former.restore();
  std::string fault = "nginx refuses its configuration with the site";
  if (!is_refused) {
    fault = fmt::format(
        "another site of nginx has the same name on port {}: remove it (Debian's own is "
        "{}/sites-enabled/default), or give this one its own with --server-name",
        site.port, nginx_dir);
  }
  throw Error(ErrorKind::kConflict,
              fmt::format("{}; everything is as before. nginx says:\n{}", fault, outcome.output));
}

void require_read(const std::string& nginx_dir, const Former& former) {
  if (is_site_read(nginx_dir).value_or(true)) return;
  former.restore();
  throw Error(ErrorKind::kConflict,
              fmt::format("nginx does not read {}: {}. Everything is as before",
                          site_places(nginx_dir).enabled, unread_site_advice(nginx_dir)));
}

}  // namespace

std::vector<std::string> nginx_command(const std::string& nginx_dir, std::vector<std::string> options) {
  std::vector<std::string> words = {"nginx"};
  if (nginx_dir != kDefaultNginxDir) {
    for (const std::string& word :
         {std::string("-p"), nginx_dir, std::string("-c"), nginx_dir + "/nginx.conf"})
      words.push_back(word);
  }
  for (std::string& option : options) words.push_back(std::move(option));
  return words;
}

bool is_nginx_stopped(const std::string& nginx_dir) {
  return is_systemds(nginx_dir) &&
         !run_program({"systemctl", "is-active", "--quiet", "nginx.service"}).is_good();
}

std::optional<bool> is_site_read(const std::string& nginx_dir) {
  constexpr std::string_view kHead = "# configuration file ";  // before each file that nginx -T prints
  const auto outcome = run_program(nginx_command(nginx_dir, {"-T"}));
  if (!outcome.is_good()) return std::nullopt;
  const SitePlaces places = site_places(nginx_dir);
  std::istringstream lines(outcome.output);
  for (std::string line; std::getline(lines, line);) {
    std::error_code ignored;
    if (line.starts_with(kHead) && line.ends_with(':') &&
        fs::equivalent(line.substr(kHead.size(), line.size() - kHead.size() - 1), places.enabled, ignored))
      return true;
  }
  return false;
}

std::string unread_site_advice(const std::string& nginx_dir) {
  return fmt::format("put 'include {0}/sites-enabled/*;' into the http block of {0}/nginx.conf", nginx_dir);
}

SitePlaces site_places(const std::string& nginx_dir) {
  return {nginx_dir + "/sites-available/generate-project.conf",
          nginx_dir + "/sites-enabled/generate-project.conf"};
}

std::optional<SiteValues> find_site(const std::string& nginx_dir) {
  const auto content = read_file(site_places(nginx_dir).available);
  if (!content || !content->starts_with(kMark)) return std::nullopt;
  return parse_site(*content);
}

bool enable_site(const std::string& nginx_dir, const std::string& text) {
  const SitePlaces places = site_places(nginx_dir);
  const Former former(places);
  require_ours(places.available, former.content());
  if (former.had_link() && !is_our_link(places))
    throw Error(ErrorKind::kConflict, fmt::format("{} leads elsewhere: move it away first", places.enabled));
  const std::string content = marked(text);
  const bool is_there = former.had_link() && former.content() == content;
  if (is_there) require_read(nginx_dir, former);
  if (is_there) return false;
  require_unedited(places.available, former.content());
  try {
    for (const std::string& path : {places.available, places.enabled})
      fs::create_directories(fs::path(path).parent_path());
    write_file(places.available, content);
    if (!former.had_link()) fs::create_symlink(places.available, places.enabled);
  } catch (const fs::filesystem_error& error) {
    former.restore();
    throw Error(ErrorKind::kUnavailable, error.what());
  }
  require_accepted(nginx_dir, parse_site(text), former);
  require_read(nginx_dir, former);
  reload(nginx_dir);
  return true;
}

RemovedSite disable_site(const std::string& nginx_dir) {
  const SitePlaces places = site_places(nginx_dir);
  const Former former(places);
  if (!former.content() && !is_our_link(places)) return {};
  require_ours(places.available, former.content());
  const bool is_kept = former.content() && is_edited(*former.content());
  const std::string kept = is_kept ? places.available + ".edited" : "";
  std::error_code fault;
  if (is_our_link(places)) fs::remove(places.enabled, fault);
  if (!fault && is_kept) fs::rename(places.available, kept, fault);
  if (!fault && !is_kept) fs::remove(places.available, fault);
  if (fault) throw Error(ErrorKind::kUnavailable, fmt::format("cannot remove the site: {}", fault.message()));
  reload(nginx_dir);
  return {true, kept};
}

}  // namespace gp::ctl
