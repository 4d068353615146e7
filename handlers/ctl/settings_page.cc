#include "handlers/ctl/settings_page.h"

#include <string_view>
#include <variant>

#include <fmt/format.h>

#include "core/base/config.h"

namespace gp::ctl {
namespace {

/// Text as roff takes it: a minus that can be copied, no line that looks like a request.
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

constexpr std::string_view kHead = R"(.\" Made by: generate-project settings --man
.TH GENERATE\-PROJECT.CONF 5 "" "generate\-project" "File formats"
.SH NAME
generate\-project.conf \- settings of the service generate\-project
.SH SYNOPSIS
.I /etc/generate\-project/generate\-project.conf
.SH DESCRIPTION
Each line is
.IR NAME = value ,
as systemd reads it for
.BR EnvironmentFile= ;
lines that begin with # are comments. A value may stand in quotes; backslashes are not understood.
An empty value counts as not set: SPOOL_PATH and CSV_LOG_DIR then have the package's own default, not the one below:
.I /var/lib/generate\-project/spool.db
and
.IR /var/log/generate\-project .
A path must be absolute. The processes of the service read the settings when they start:
.B systemctl restart \(aqgenerate\-project\-*.service\(aq
puts a change in force without a failed request, because systemd keeps the sockets open.
.PP
.BR generate\-project (1)
reads the same file; a variable in its own environment goes before a line of the file.
)";

constexpr std::string_view kSecrets = R"(.SH SECRETS
The settings marked as secret are better kept out of this file, though only root may read it. Each may be a file of its
own for root alone, which systemd hands to the processes that need it and to no others:
)";

constexpr std::string_view kOutside = R"(.PP
A value in this file goes before them, and so does a line
.IB NAME _FILE= path\fR:
the value is in that file, which the account
.I generate\-project
must be able to read. Where both lines are there,
.I NAME
holds. A secret is one line of text.
)";

constexpr std::string_view kFoot = R"(.SH SEE ALSO
.BR generate\-project (1),
.BR generate\-project (8),
.BR systemd.exec (5)
)";

bool is_secret(const Setting& setting) { return std::holds_alternative<Secret Config::*>(setting.member); }

std::string secrets() {
  std::string text(kSecrets);
  for (const Setting& setting : settings()) {
    if (is_secret(setting))
      text += fmt::format(".TP\n.I /etc/generate\\-project/credentials/{}\n", roff(setting.name));
  }
  return text += kOutside;
}

std::string entry(const Setting& setting) {
  std::string text = fmt::format(".TP\n.B {}\n{}.\n", roff(setting.name), roff(setting.help));
  text += fmt::format("Allowed: {}{}{}.", roff(setting.allowed), setting.unit.empty() ? "" : " ",
                      roff(setting.unit));
  if (!setting.default_value.empty()) text += fmt::format(" Default: {}.", roff(setting.default_value));
  if (is_secret(setting)) text += " Secret.";
  return text + "\n";
}

}  // namespace

std::string settings_page() {
  std::string page(kHead);
  page += secrets();
  page += ".SH SETTINGS\n";
  for (const Setting& setting : settings()) page += entry(setting);
  page += kFoot;
  return page;
}

}  // namespace gp::ctl
