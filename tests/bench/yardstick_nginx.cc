#include "tests/bench/yardstick_nginx.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <boost/algorithm/string/replace.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/bench/http_load.h"
#include "tests/support/shell.h"

namespace bench {
namespace {

constexpr const char* kNchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so";

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

YardstickNginx::YardstickNginx(const support::Stack& stack, const std::string& select)
    : port_(support::free_port()),
      // As another user than root it fails in a folder of the system's, whatever paths it is given.
      has_nchan_(::geteuid() == 0 && std::filesystem::exists(kNchanModule)) {
  std::filesystem::create_directories(path("www/static"));
  write_configuration(stack);
  hello_ = std::make_unique<support::Program>(
      std::vector<std::string>{std::string(GP_BUILD_DIR) + "/tests/bench/gp-bench-hello", path("hello.sock"),
                               "2", stack.database_url(), select},
      path("hello.log"));
  nginx_ = std::make_unique<support::Program>(
      std::vector<std::string>{"/usr/sbin/nginx", "-p", path(""), "-c", path("nginx.conf"), "-e",
                               path("error.log")},
      path("nginx.log"));
  put_file("up", "up");
  const auto deadline = gp::steady_now() + std::chrono::seconds(10);
  while (true) {
    try {
      if (get_status(port_, "/static/up") == 200 && get_status(port_, "/hello") == 200) return;
    } catch (const std::exception&) {
      // not yet
    }
    if (gp::steady_now() > deadline) {
      throw std::runtime_error("the yardsticks' nginx does not answer:\n" +
                               support::read_file(path("error.log")) + support::read_file(path("nginx.log")));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void YardstickNginx::put_file(const std::string& name, const std::string& content) const {
  write_file(path("www/static/" + name), content);
}

void YardstickNginx::write_configuration(const support::Stack& stack) const {
  const std::string from = stack.folder() + "/state/nginx";
  std::string text = support::read_file(from + "/nginx.conf");
  boost::replace_all(text, from, folder_.path());
  if (has_nchan_) text = fmt::format("load_module {};\n", kNchanModule) + text;
  write_file(path("nginx.conf"), text);
  write_file(path("generate-project.conf"), site());
}

std::string YardstickNginx::site() const {
  const std::string nchan = has_nchan_ ? R"(
    location = /publish { nchan_publisher; nchan_channel_id $arg_id; nchan_message_timeout 60s;
        nchan_message_buffer_length 1000; access_log off; }
    location = /subscribe { nchan_subscriber eventsource; nchan_channel_id $arg_id; access_log off; })"
                                       : "";
  return fmt::format(R"(server {{
    listen 127.0.0.1:{0} backlog=4096;
    location /static/ {{ root {1}/www; access_log off; }}
    location = /hello {{
        include /etc/nginx/fastcgi_params;
        fastcgi_keep_conn on;
        access_log off;
        fastcgi_pass unix:{1}/hello.sock;
    }}
    location = /hello/logged {{
        include /etc/nginx/fastcgi_params;
        fastcgi_keep_conn on;
        fastcgi_pass unix:{1}/hello.sock;
    }}{2}
}}
)",
                     port_, folder_.path(), nchan);
}

}  // namespace bench
