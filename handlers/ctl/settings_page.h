#pragma once

#include <string>

namespace gp::ctl {

/// The manual page generate-project.conf(5) in man(7) form, made from the table of settings.
std::string settings_page();

}  // namespace gp::ctl
