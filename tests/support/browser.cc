#include "tests/support/browser.h"

#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "core/base/clock.h"
#include "tests/support/http_client.h"

namespace support {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The key of an element in W3C WebDriver's answers (section 12.1).
constexpr const char* kElement = "element-6066-11e4-a52e-4f735466cecf";

}  // namespace

bool Browser::is_installed() {
  return support::run("command -v chromedriver && command -v chromium").exit_code == 0;
}

Browser::Browser()
    : port_(free_port()),
      driver_({"chromedriver", fmt::format("--port={}", port_)}, folder_.path() + "/driver.log") {
  const auto deadline = gp::steady_now() + seconds(60);
  while (true) {
    try {
      begin_session();
      return;
    } catch (const std::exception&) {
      if (gp::steady_now() > deadline) throw;
      std::this_thread::sleep_for(milliseconds(100));
    }
  }
}

Browser::~Browser() {
  try {
    call("DELETE", session_);
  } catch (const std::exception&) {  // it has gone by itself
  }
}

void Browser::begin_session() {
  // As root Chromium begins without its sandbox only; a container's /dev/shm may be too small for it.
  const gp::Json options = {{"args",
                             {"--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                              "--user-data-dir=" + folder_.path() + "/profile"}}};
  const gp::Json wanted = {{"browserName", "chrome"},
                           {"goog:chromeOptions", options},
                           {"goog:loggingPrefs", {{"browser", "ALL"}}}};
  const gp::Json begun = call("POST", "/session", {{"capabilities", {{"alwaysMatch", wanted}}}});
  session_ = "/session/" + begun.at("sessionId").get<std::string>();
}

gp::Json Browser::call(const std::string& method, const std::string& path, const gp::Json& body) {
  const std::string text = body.is_null() ? std::string() : gp::dump_json(body);
  const Reply reply = request(port_, method, path, text, {{"Content-Type", "application/json"}});
  const gp::Json value = reply.json().at("value");
  if (reply.status != 200)
    throw std::runtime_error(fmt::format("{} {}: {}", method, path, gp::dump_json(value)));
  return value;
}

gp::Json Browser::in_session(const std::string& method, const std::string& path, const gp::Json& body) {
  return call(method, session_ + path, body);
}

void Browser::open(const std::string& url) { in_session("POST", "/url", {{"url", url}}); }
void Browser::reload() { in_session("POST", "/refresh"); }

std::string Browser::find(const std::string& selector) {
  return in_session("POST", "/element", {{"using", "css selector"}, {"value", selector}})
      .at(kElement)
      .get<std::string>();
}

void Browser::click(const std::string& selector) {
  in_session("POST", "/element/" + find(selector) + "/click");
}

void Browser::type(const std::string& selector, const std::string& text) {
  const std::string element = "/element/" + find(selector);
  in_session("POST", element + "/clear");
  in_session("POST", element + "/value", {{"text", text}});
}

gp::Json Browser::value(const std::string& expression) {
  return in_session("POST", "/execute/sync",
                    {{"script", "return " + expression}, {"args", gp::Json::array()}});
}

void Browser::run(const std::string& script) {
  in_session("POST", "/execute/sync", {{"script", script}, {"args", gp::Json::array()}});
}

bool Browser::wait_for(const std::string& expression, milliseconds patience) {
  for (const auto deadline = gp::steady_now() + patience; gp::steady_now() < deadline;) {
    if (value(fmt::format("Boolean({})", expression)) == true) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

std::vector<std::string> Browser::complaints() {
  std::vector<std::string> found;
  for (const gp::Json& entry : in_session("POST", "/se/log", {{"type", "browser"}}))
    found.push_back(entry.at("message").get<std::string>());
  return found;
}

}  // namespace support
