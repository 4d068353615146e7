#include "core/fcgi/exchange.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <mutex>
#include <string_view>
#include <utility>

#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/base/error.h"
#include "core/base/ids.h"

namespace gp::fcgi {
namespace {

constexpr timeval kReadTimeout{
    2, 0};  ///< longest wait for a local peer's next bytes; nginx sends a request at once
constexpr timeval kWriteTimeout{30, 0};  ///< longest wait for nginx to take more of a response
/// What nginx passes on stays below this: a request's line and headers fill its four buffers of 8 KiB at
/// most.
constexpr std::size_t kPeekMax = 40960;
constexpr std::size_t kStreamBodyMax = 0;

/// FCGX_Init replaces SIGPIPE's SIG_IGN by a handler of its own: put it back. Once a process.
void init_library() {
  static std::once_flag done;
  std::call_once(done, [] {
    if (FCGX_Init() != 0) throw Error(ErrorKind::kBug, "libfcgi cannot be initialised");
    std::signal(SIGPIPE, SIG_IGN);
  });
}

void set_timeout(int fd, int option, const timeval& time) {
  ::setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

/// "HTTP_LAST_EVENT_ID" -> "last-event-id"
std::string header_name(std::string_view param) {
  std::string name(param);
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

http::Request read_params(char** params) {
  http::Request request;
  std::string raw_id;
  for (char** param = params; param != nullptr && *param != nullptr; ++param) {
    const std::string_view text(*param);
    const std::size_t equals = std::min(text.find('='), text.size());
    const std::string_view name = text.substr(0, equals);
    const std::string value(text.substr(std::min(equals + 1, text.size())));
    if (name == "REQUEST_METHOD")
      request.method = value;
    else if (name == "DOCUMENT_URI")
      request.path = value;  // nginx has decoded it
    else if (name == "QUERY_STRING")
      request.query = value;
    else if (name == "REQUEST_ID")
      raw_id = value;
    else if (name == "CONTENT_TYPE" && !value.empty())
      request.headers.emplace_back("content-type", value);
    else if (name.starts_with("HTTP_") && !value.empty())
      request.headers.emplace_back(header_name(name.substr(5)), value);
  }
  request.request_id = request_id_or_new(raw_id);
  return request;
}

/// At most `limit` + 1 bytes are kept; the rest is read and dropped, because nginx sends all before it
/// listens.
std::string read_body(FCGX_Stream* in, std::size_t limit) {
  std::string body;
  std::array<char, 8192> buffer{};
  for (int got = 0; (got = FCGX_GetStr(buffer.data(), static_cast<int>(buffer.size()), in)) > 0;) {
    const std::size_t room = limit + 1 - body.size();
    body.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
  }
  return body;
}

/// Has libfcgi read a request from a connection that we accepted. FCGX_Accept_r first "finishes" what the
/// struct holds: keepConnection keeps it from closing our descriptor, detached from lingering 2 s on an
/// error. On failure libfcgi has closed the descriptor.
bool accept_from(FCGX_Request& handle, UniqueFd fd) {
  init_library();
  FCGX_InitRequest(&handle, -1, 0);
  handle.keepConnection = 1;
  handle.detached = 1;
  handle.ipcFd = fd.release();
  return FCGX_Accept_r(&handle) == 0;
}

}  // namespace

std::string render_response(const http::Response& response, bool is_head) {
  std::string text = fmt::format("Status: {} {}\r\n", response.status, http::reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  const bool has_no_body = response.status == 204 || response.status == 304;
  if (!has_no_body) text += fmt::format("Content-Length: {}\r\n", response.body.size());
  text += "\r\n";
  if (!is_head && !has_no_body) text += response.body;
  return text;
}

// Exchange
// ------------------------------------------------------------------------------------------------------------

struct Exchange::Impl {
  FCGX_Request handle{};
  http::Request request;
};

std::optional<Exchange> Exchange::accept(int listen_fd, std::size_t body_limit) {
  UniqueFd fd(::accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return std::nullopt;  // another process of the pool was faster
  set_timeout(fd.get(), SO_RCVTIMEO, kReadTimeout);
  set_timeout(fd.get(), SO_SNDTIMEO, kWriteTimeout);
  auto impl = std::make_unique<Impl>();
  if (!accept_from(impl->handle, std::move(fd))) return std::nullopt;
  impl->request = read_params(impl->handle.envp);
  impl->request.body = read_body(impl->handle.in, body_limit);
  return Exchange(std::move(impl));
}

Exchange::Exchange(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;

Exchange::~Exchange() {
  if (!impl_) return;
  impl_->handle.keepConnection =
      0;  // one request a connection: a kept one would bind this process to one nginx worker
  FCGX_Finish_r(&impl_->handle);
}

const http::Request& Exchange::request() const noexcept { return impl_->request; }

void Exchange::write(const http::Response& response) {
  const std::string text = render_response(response, impl_->request.method == "HEAD");
  FCGX_PutStr(text.data(), static_cast<int>(text.size()), impl_->handle.out);
}

// For an event loop
// ---------------------------------------------------------------------------------------------------

Arrival peek_request(int fd) {
  std::array<unsigned char, kPeekMax> bytes{};
  const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Arrival::kIncomplete : Arrival::kBad;
  if (got == 0) return Arrival::kBad;
  const auto size = static_cast<std::size_t>(got);
  for (std::size_t at = 0; at + FCGI_HEADER_LEN <= size;) {
    const unsigned char* header = bytes.data() + at;
    if (header[0] != FCGI_VERSION_1) return Arrival::kBad;
    const std::size_t content = static_cast<std::size_t>(header[4]) << 8 | header[5];
    const std::size_t record = FCGI_HEADER_LEN + content + header[6];
    if (at + record > kPeekMax) return Arrival::kBad;
    if (at + record > size) break;
    if (header[1] == FCGI_STDIN && content == 0) return Arrival::kComplete;
    at += record;
  }
  return size == kPeekMax ? Arrival::kBad : Arrival::kIncomplete;
}

std::optional<Detached> detach_request(UniqueFd fd) {
  const int raw = fd.get();
  ::fcntl(raw, F_SETFL, ::fcntl(raw, F_GETFL) & ~O_NONBLOCK);  // libfcgi takes EAGAIN for a broken connection
  set_timeout(raw, SO_RCVTIMEO, kReadTimeout);
  FCGX_Request handle{};
  if (!accept_from(handle, std::move(fd))) return std::nullopt;
  Detached detached{UniqueFd(raw), read_params(handle.envp)};
  detached.request.body = read_body(handle.in, kStreamBodyMax);
  handle.ipcFd = -1;  // the descriptor is ours again; free only what libfcgi allocated
  FCGX_Free(&handle, 0);
  ::fcntl(raw, F_SETFL, ::fcntl(raw, F_GETFL) | O_NONBLOCK);
  return detached;
}

}  // namespace gp::fcgi
