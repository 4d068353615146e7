// The manual pages and the completion say what the program has, all of it and nothing else.

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "core/base/config.h"
#include "handlers/ctl/command.h"
#include "handlers/ctl/settings_page.h"
#include "tests/support/shell.h"

namespace {

const std::string kPackaging = std::string(GP_SOURCE_DIR) + "/packaging/";

using Words = std::set<std::string>;

/// The program's command line as its parser has it.
struct CommandLine {
  CLI::App app;
  gp::ctl::Chosen chosen;
  CommandLine() { gp::ctl::add_commands(app, chosen); }

  Words commands() {
    Words names;
    for (const CLI::App* sub : app.get_subcommands(nullptr)) names.insert(sub->get_name());
    return names;
  }
};

void add_options(CLI::App* app, Words& options) {
  for (const CLI::Option* option : app->get_options()) {
    for (const std::string& name : option->get_lnames()) options.insert("--" + name);
  }
  for (CLI::App* group : app->get_subcommands([](CLI::App* each) { return each->get_name().empty(); }))
    add_options(group, options);
}

Words options_of(CLI::App* app) {
  Words options;
  add_options(app, options);
  return options;
}

/// What bash offers after `line`.
Words completions(const std::string& line) {
  const std::string output =
      support::run_or_throw(fmt::format("source {}completion/generate-project.bash; COMP_WORDS=({} ''); "
                                        "COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
                                        "_generate_project; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                                        kPackaging, line));
  std::istringstream stream(output);
  Words words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

/// The page as a reader sees it, without roff's own signs.
std::string plain(std::string page) {
  for (const char* sign : {"\\-", "\\&"}) {
    for (auto at = page.find(sign); at != std::string::npos; at = page.find(sign))
      page.replace(at, 2, sign[1] == '-' ? "-" : "");
  }
  return page;
}

std::string page(const std::string& name) { return support::read_file(kPackaging + "man/" + name); }

std::string text_of(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(manual)

BOOST_AUTO_TEST_CASE(every_command_and_option_is_in_the_manual_page) {
  CommandLine line;
  const std::string text = plain(page("generate-project.1"));
  for (const std::string& command : line.commands()) {
    BOOST_TEST(text.find(".BR " + command + " ") != std::string::npos, command);
    for (const std::string& option : options_of(line.app.get_subcommand(command)))
      BOOST_TEST(text.find(option) != std::string::npos, command + " " + option);
  }
}

BOOST_AUTO_TEST_CASE(completion_offers_every_command_and_option_and_nothing_else) {
  CommandLine line;
  Words all = line.commands();
  all.insert({"--help", "--version"});
  BOOST_TEST(text_of(completions("generate-project")) == text_of(all));
  for (const std::string& command : line.commands()) {
    BOOST_TEST(text_of(completions("generate-project " + command)) ==
               text_of(options_of(line.app.get_subcommand(command))));
  }
}

BOOST_AUTO_TEST_CASE(the_page_of_the_settings_is_what_the_program_prints_now) {
  BOOST_TEST((page("generate-project.conf.5") == gp::ctl::settings_page()),
             "make it again: generate-project settings --man > packaging/man/generate-project.conf.5");
  const std::string text = plain(gp::ctl::settings_page());
  for (const gp::Setting& setting : gp::settings())
    BOOST_TEST(text.find(fmt::format(".B {}\n", setting.name)) != std::string::npos, setting.name);
}

BOOST_AUTO_TEST_CASE(the_page_of_the_settings_names_the_file_of_each_secret_and_of_nothing_else) {
  const std::string text = plain(gp::ctl::settings_page());
  for (const gp::Setting& setting : gp::settings()) {
    const bool is_secret = std::holds_alternative<gp::Secret gp::Config::*>(setting.member);
    const auto file = fmt::format(".I /etc/generate-project/credentials/{}\n", setting.name);
    BOOST_TEST((text.find(file) != std::string::npos) == is_secret, setting.name);
  }
}

BOOST_AUTO_TEST_CASE(the_pages_are_sound_roff) {
  if (support::run("command -v groff").exit_code != 0) {
    BOOST_TEST_MESSAGE("skipped: there is no groff here");
    return;
  }
  for (const char* name : {"generate-project.1", "generate-project.conf.5", "generate-project.8"}) {
    const auto outcome = support::run(fmt::format("groff -man -Tutf8 -ww -z {}man/{}", kPackaging, name));
    BOOST_TEST(outcome.output == "", name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
