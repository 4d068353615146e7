#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/support/program.h"
#include "tests/support/shell.h"

namespace support {

/// A real Chromium without a window, driven over W3C WebDriver by Debian's chromedriver. One tab. Every call
/// throws std::runtime_error with the driver's words where the browser cannot do what it is asked.
class Browser {
 public:
  /// True where Chromium and its driver are installed.
  static bool is_installed();

  Browser();  ///< throws std::runtime_error where it has not begun within 60 s
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// Loads a page and waits until its load event.
  void open(const std::string& url);
  void reload();

  /// Clicks, as a hand does, on what the CSS selector finds first: it must be visible.
  void click(const std::string& selector);
  /// Replaces what stands in a field, by the keyboard.
  void type(const std::string& selector, const std::string& text);

  /// The value of a JavaScript expression in the page.
  gp::Json value(const std::string& expression);
  /// Runs statements in the page.
  void run(const std::string& script);
  /// Asks until the expression is true; false after `patience`.
  bool wait_for(const std::string& expression, std::chrono::milliseconds patience);

  /// What the page, or the browser about it, has complained of since the last call: errors of scripts, of the
  /// content security policy, of requests.
  std::vector<std::string> complaints();

 private:
  gp::Json call(const std::string& method, const std::string& path, const gp::Json& body = {});
  gp::Json in_session(const std::string& method, const std::string& path,
                      const gp::Json& body = gp::Json::object());
  std::string find(const std::string& selector);
  void begin_session();

  TempFolder folder_;
  int port_;
  Program driver_;
  std::string session_;  ///< its path
};

}  // namespace support
