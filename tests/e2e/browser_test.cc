// The web page in a real browser, and what its EventSource does by itself when connections break.

#include "tests/support/browser.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/ids.h"
#include "tests/e2e/metrics.h"
#include "tests/e2e/on_stack.h"
#include "tests/support/program.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"

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
    // NGINX_STREAMS: so few that a test can take the room of all.
    OnStack::settings = {{"SSE_KEEPALIVE_S", "1"}, {"EVENTS_PROCESSES", "2"}, {"NGINX_STREAMS", "8"}};
  }
} settings_before_the_stack;

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OnStack);

namespace {

constexpr seconds kPatience{60};
constexpr const char* kIsDone = "document.querySelector('#outcome').dataset.state === 'done'";
constexpr const char* kIsWriting =
    "document.querySelector('#sections article') && !document.querySelector('#outcome').textContent";
constexpr const char* kHasEnded = "document.querySelector('#outcome').textContent";
constexpr const char* kHasAskedForRun =
    "performance.getEntriesByType('resource').some((each) => each.name.includes('/runs/'))";
constexpr const char* kFocus = "document.activeElement.id";

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
    for (const Json& part : texts("#timeline li")) BOOST_TEST(part.get<std::string>().ends_with(" · done"));
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

/// The first answer that the page is sent is lost on its way.
constexpr const char* kLoseAnAnswer = R"(
  const fetch = window.fetch;
  window.answers = 0;
  window.fetch = async (...request) => {
    const answer = await fetch(...request);
    if (++answers === 1) throw new TypeError('lost');
    return answer;
  };
)";

/// Notes each text of the page's connection.
constexpr const char* kNoteConnection = R"(
  window.said = [];
  new MutationObserver(() => { said.push(document.querySelector('#connection').textContent); })
    .observe(document.querySelector('#connection'), { childList: true });
)";

/// Streams of a run that lasts: as many as there is room for.
std::vector<std::unique_ptr<support::EventStream>> take_all_room(const std::string& run_id) {
  std::vector<std::unique_ptr<support::EventStream>> streams;
  do {
    streams.push_back(
        std::make_unique<support::EventStream>(stack().port(), "/events/stream?run_id=" + run_id));
  } while (streams.back()->reply().status == 200);
  BOOST_TEST(streams.back()->reply().status == 503);
  return streams;
}

/// A run whose events are older than the retention.
std::string pruned_run() {
  std::string run_id = gp::make_uuid();
  support::run_or_throw(fmt::format(
      "psql -q '{}' -c \"INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email, "
      "state, finished_at, events_pruned_at) VALUES ('{}', 'pruned', 'c', '{{}}', '', 'complete', now(), "
      "now())\"",
      stack().database_url(), run_id));
  return run_id;
}

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

BOOST_AUTO_TEST_CASE(the_connection_is_told_once_while_the_service_restarts) {
  Page page;
  page.browser.run(kNoteConnection);
  page.generate("Fractions restarting", 30);
  page.run_id();
  BOOST_TEST(page.browser.wait_for("said.length === 1", kPatience));
  page.browser.run(kNoteIds);
  ::kill(stack().pid_of("events"), SIGTERM);
  BOOST_TEST(page.browser.wait_for("opens >= 4", kPatience));  // nginx answers, and ends at once
  BOOST_TEST(page.browser.value("said.length") == 2);
  stack().restart("events");
  BOOST_TEST(page.browser.wait_for("said.length === 3", kPatience));
  stack().set_rate("Fractions restarting", 5000);
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  const Json said = page.browser.value("said");
  BOOST_TEST(said.at(0).get<std::string>().starts_with("Connected"));
  BOOST_TEST(said.at(1).get<std::string>().starts_with("No connection"));
  BOOST_TEST(said.at(2) == said.at(0));
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_refused_while_the_run_goes_on_is_followed_when_there_is_room) {
  Page page;
  page.generate("Fractions refused", 300);
  const std::string run_id = page.run_id();
  BOOST_TEST(page.browser.wait_for(kIsWriting, kPatience));
  stack().set_rate("Fractions refused", 10);
  page.browser.run("window.first = document.querySelector('#sections article')");
  for (const pid_t pid : support::children_of(stack().pid_of("events"))) ::kill(pid, SIGKILL);
  auto others = take_all_room(run_id);
  BOOST_TEST(page.browser.wait_for(kHasAskedForRun, kPatience));
  BOOST_TEST(page.text("#connection").starts_with("No connection"));
  BOOST_TEST(page.text("#outcome").empty());
  others.clear();
  stack().set_rate("Fractions refused", 5000);
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  BOOST_TEST(page.browser.value("first.isConnected") == true);  // nothing was replayed
  page.check_shows(stack().follow(run_id));
}

BOOST_AUTO_TEST_CASE(the_same_values_are_one_run_until_it_is_complete) {
  Page page;
  page.browser.run(kLoseAnAnswer);
  page.generate("Fractions sent_again", 400);
  BOOST_TEST(page.browser.wait_for("document.querySelector('#faults li')", kPatience));
  BOOST_TEST(page.browser.value("location.hash") == "");
  page.browser.click("form button");
  const std::string run_id = page.run_id();
  page.browser.click("form button");
  BOOST_TEST(page.browser.wait_for("answers === 3", kPatience));
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  BOOST_TEST(page.run_id() == run_id);
  BOOST_TEST(stack().calls("sent_again").size() == 1u);
  page.check_shows(stack().follow(run_id));
  page.browser.click("form button");
  BOOST_TEST(page.browser.wait_for(fmt::format("location.hash !== '#{}'", run_id), kPatience));
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  BOOST_TEST(stack().calls("sent_again").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_stopped_goes_on_under_the_same_values_below_what_is_shown) {
  Page page;
  page.generate("Fractions stopped", 300);
  const std::string run_id = page.run_id();
  BOOST_TEST(page.browser.wait_for(kIsWriting, kPatience));
  page.browser.click("#cancel");
  BOOST_TEST(page.browser.wait_for(kHasEnded, kPatience));
  BOOST_TEST(page.text("#outcome").find("cancelled") != std::string::npos);
  BOOST_TEST(page.browser.value("document.querySelector('#outcome').dataset.state") == "error");
  BOOST_TEST(page.browser.value("document.querySelector('#cancel').hidden") == true);
  BOOST_TEST(page.browser.value(kFocus) == "outcome");
  BOOST_TEST(stack().follow(run_id).back().data.at("code") == "cancelled");
  page.browser.run("window.first = document.querySelector('#sections article')");
  stack().set_rate("Fractions stopped", 60);
  page.browser.click("form button");
  BOOST_TEST(page.browser.wait_for(kIsWriting, kPatience));
  BOOST_TEST(page.browser.value("document.querySelector('#cancel').hidden") == false);
  BOOST_TEST(page.browser.value(kFocus) == "headline");
  BOOST_TEST(page.browser.wait_for("document.querySelector('#headline').textContent.includes('attempt 2')",
                                   kPatience));
  stack().set_rate("Fractions stopped", 5000);
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  BOOST_TEST(page.run_id() == run_id);
  BOOST_TEST(page.browser.value("first.isConnected") == true);
  page.check_shows(stack().follow(run_id));
}

BOOST_AUTO_TEST_CASE(the_bare_address_shows_no_run_and_follows_none) {
  Page page;
  page.generate("Fractions left", 100);
  page.run_id();
  BOOST_TEST(page.browser.wait_for("document.querySelector('#timeline li')", kPatience));
  page.browser.run("history.back()");
  BOOST_TEST(page.browser.wait_for("document.querySelector('#project').hidden", kPatience));
  const auto nobody_follows = [] { return e2e::metric("generate_project_streams_open") == 0; };
  BOOST_TEST(support::wait_until(nobody_follows, kPatience));
  page.browser.run("history.forward()");
  BOOST_TEST(page.browser.wait_for("document.querySelector('#timeline li')", kPatience));
  page.browser.click("#cancel");
  BOOST_TEST(page.browser.wait_for(kHasEnded, kPatience));
  BOOST_TEST(page.text("#outcome").find("cancelled") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_short_texts_are_spoken_and_the_focus_is_where_the_news_is) {
  Page page;
  page.generate("Fractions spoken", 500);
  page.run_id();
  BOOST_TEST(page.browser.wait_for("document.activeElement.id === 'headline'", kPatience));
  BOOST_TEST(page.browser.wait_for(
      "document.querySelector('#timeline li')?.textContent.endsWith(' · writing')", kPatience));
  BOOST_TEST(page.browser.wait_for(kIsDone, kPatience));
  const Json spoken =
      page.browser.value("Array.from(document.querySelectorAll('[aria-live], [role]'), (each) => each.id)");
  BOOST_TEST(gp::dump_json(spoken) == R"(["connection","faults","headline","outcome"])");
  BOOST_TEST(page.browser.value("document.querySelector('#sections').closest('[aria-live], [role]')") ==
             Json(nullptr));
  BOOST_TEST(page.browser.value(kFocus) == "headline");
}

BOOST_AUTO_TEST_CASE(without_its_script_the_form_puts_nothing_into_an_address) {
  const std::string html = stack().get("/").body;
  BOOST_TEST(html.find("<button disabled>") != std::string::npos);
  Page page;
  page.browser.run("document.querySelector('#request').submit()");  // as the browser does by itself
  BOOST_TEST(page.browser.wait_for("!document.querySelector('#request')", kPatience));
  BOOST_TEST(page.browser.value("location.search") == "");
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
  BOOST_TEST(page.browser.wait_for(kHasEnded, kPatience));
  BOOST_TEST(page.text("#outcome") == "This run is not known here.");
}

BOOST_AUTO_TEST_CASE(an_address_of_a_run_that_is_kept_no_longer_says_so) {
  Page page("#" + pruned_run());
  BOOST_TEST(page.browser.wait_for(kHasEnded, kPatience));
  BOOST_TEST(page.text("#outcome") == "This run has expired: it can be shown no more.");
}

BOOST_AUTO_TEST_SUITE_END()
