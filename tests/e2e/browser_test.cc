// The web page in a real browser, and what its EventSource does by itself when connections break.

#include "tests/support/browser.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "tests/e2e/on_stack.h"
#include "tests/support/program.h"

using e2e::OnStack;
using e2e::stack;
using gp::Json;
using std::chrono::seconds;

namespace {

struct Settings {
  Settings() {
    if (!support::Browser::is_installed()) {
      std::cerr
          << "SKIPPED: chromium and chromedriver are not installed (Debian's chromium, chromium-driver)\n";
      std::exit(77);
    }
    OnStack::settings = {{"SSE_KEEPALIVE_S", "1"}, {"EVENTS_PROCESSES", "2"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

constexpr seconds kPatience{60};
constexpr const char* kIsDone = "document.querySelector('#outcome').dataset.state === 'done'";
constexpr const char* kIsWriting =
    "document.querySelector('#sections article') && !document.querySelector('#outcome').textContent";

struct Page {
  support::Browser browser;

  explicit Page(const std::string& hash = {}) {
    browser.open(fmt::format("http://127.0.0.1:{}/{}", stack().port(), hash));
  }

  /// Fills the form, and presses its button. `topic` is what the simulated LLM is aimed at.
  void generate(const std::string& topic, double tokens_per_second) {
    stack().set_rate(topic, tokens_per_second);
    browser.type("[name=topic]", topic);
    browser.click("form button");
  }
  std::string run_id() {
    BOOST_TEST_REQUIRE(browser.wait_for("location.hash.length > 1", kPatience));
    return browser.value("location.hash.slice(1)").get<std::string>();
  }
  Json texts(const std::string& selector) {
    return browser.value(
        fmt::format("Array.from(document.querySelectorAll('{}'), (each) => each.textContent)", selector));
  }
  std::string text(const std::string& selector) { return texts(selector).at(0).get<std::string>(); }

  /// Every section of the run, with each of its steps, as its events have them.
  void check_shows(const std::vector<support::StreamEvent>& events) {
    Json names = Json::array();
    Json steps = Json::array();
    for (const auto& event : events) {
      if (event.name != "section_completed") continue;
      names.push_back(event.data.at("name"));
      const Json& section = event.data.at("section");
      for (const char* part : {"shared", "teacher"}) {
        for (const Json& step : section.at(part).at("steps")) steps.push_back(step);
      }
      for (const Json& seat : section.at("seats")) {
        for (const Json& step : seat.at("steps")) steps.push_back(step);
      }
    }
    BOOST_TEST(!names.empty());
    BOOST_TEST(gp::dump_json(texts("#sections h3")) == gp::dump_json(names));
    BOOST_TEST(gp::dump_json(texts("#sections .part > ol > li")) == gp::dump_json(steps));
    BOOST_TEST(browser.value("document.querySelectorAll('#timeline li:not([data-state=done])').length") == 0);
  }
};

/// A program of the page's author that follows a run and notes the ids that it is given.
constexpr const char* kNoteIds = R"(
  window.ids = [];
  window.opens = 0;
  window.source = new EventSource('/events/stream?run_id=' + location.hash.slice(1));
  source.addEventListener('open', () => { ++opens; });
  for (const name of ['run_started', 'plan_completed', 'section_started', 'section_completed', 'run_completed', 'error'])
    source.addEventListener(name, (event) => { if (event.data) ids.push(Number(event.lastEventId)); });
)";

}  // namespace

BOOST_AUTO_TEST_SUITE(browser)

BOOST_AUTO_TEST_CASE(a_teacher_sees_the_project_appear_and_a_reload_shows_all_of_it_again) {
  Page page;
  page.generate("Fractions in_a_browser", 500);
  const std::string run_id = page.run_id();
  BOOST_TEST(page.browser.wait_for(kIsWriting, kPatience));  // live: some of it, and not its end
  page.browser.reload();
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  const auto events = stack().follow(run_id);
  page.check_shows(events);
  BOOST_TEST(page.text("#connection").empty());
  page.browser.reload();
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  page.check_shows(events);
  for (const std::string& complaint : page.browser.complaints()) BOOST_ERROR(complaint);
}

BOOST_AUTO_TEST_CASE(event_source_bridges_whatever_breaks_and_stops_by_itself_at_the_end) {
  Page page;
  page.generate("Fractions breaking", 250);
  const std::string run_id = page.run_id();
  page.browser.run(kNoteIds);
  const auto reopened = [&](int times) {
    return page.browser.wait_for(fmt::format("opens > {}", times), kPatience);
  };
  BOOST_TEST(page.browser.wait_for("ids.length >= 3", kPatience));
  for (const pid_t pid : support::children_of(stack().pid_of("events"))) ::kill(pid, SIGKILL);
  BOOST_TEST(reopened(1));
  ::kill(stack().pid_of("nginx"), SIGHUP);
  stack().restart("events");
  BOOST_TEST(reopened(2));
  stack().stop_database();
  std::this_thread::sleep_for(seconds(2));
  stack().start_database();
  BOOST_TEST(page.browser.wait_for("source.readyState === EventSource.CLOSED", kPatience));
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  const auto events = stack().follow(run_id);
  const Json ids = page.browser.value("ids");
  BOOST_TEST(ids.size() == events.size());
  for (std::size_t i = 0; i < ids.size(); ++i) BOOST_TEST(ids[i] == i + 1);
  page.check_shows(events);
}

BOOST_AUTO_TEST_CASE(the_stop_button_ends_the_run) {
  Page page;
  page.generate("Fractions stopped", 60);
  const std::string run_id = page.run_id();
  BOOST_TEST(page.browser.wait_for("document.querySelector('#timeline li')", kPatience));
  page.browser.click("#cancel");
  BOOST_TEST(
      page.browser.wait_for("document.querySelector('#outcome').dataset.state === 'error'", kPatience));
  BOOST_TEST(page.text("#outcome").find("cancelled") != std::string::npos);
  BOOST_TEST(page.browser.value("document.querySelector('#cancel').hidden") == true);
  BOOST_TEST(stack().follow(run_id).back().data.at("code") == "cancelled");
}

BOOST_AUTO_TEST_CASE(bad_input_is_named_field_by_field_and_starts_nothing) {
  Page page;
  page.browser.type("[name=group_size]", "9");
  page.browser.type("[name=owner_email]", "nobody");
  page.browser.click("form button");
  BOOST_TEST(page.browser.wait_for("document.querySelectorAll('#faults li').length === 2", kPatience));
  BOOST_TEST(page.text("#faults").find("group_size: ") != std::string::npos);
  BOOST_TEST(page.text("#faults").find("owner_email: ") != std::string::npos);
  BOOST_TEST(page.browser.value("location.hash") == "");
  BOOST_TEST(page.browser.value("document.querySelector('#project').hidden") == true);
}

BOOST_AUTO_TEST_CASE(an_address_of_no_run_says_so) {
  Page page("#6f1c9d2e-7b1a-4c55-9a60-0d9f2f1f3f10");
  BOOST_TEST(page.browser.wait_for("document.querySelector('#outcome').textContent", kPatience));
  BOOST_TEST(page.text("#outcome") == "This run is not known here.");
}

BOOST_AUTO_TEST_SUITE_END()
