#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/base/unique_fd.h"
#include "core/http/request.h"
#include "core/http/response.h"

namespace gp::fcgi {

/// The status line, headers and body of a response as a CGI program writes them (RFC 3875 6): "Status: 404
/// Not Found" ... A HEAD request gets Content-Length and no body.
std::string render_response(const http::Response& response, bool is_head);

/// One request read by libfcgi, blocking, for a process that serves one at a time.
class Exchange {
 public:
  /// Accepts a connection on a non-blocking listening socket and reads one whole request of it. Nothing where
  /// no connection was there, the peer vanished, or it sent no whole request within 2 s per read. The body is
  /// read up to `body_limit` + 1 bytes: a longer one is cut there, so that the caller sees that it is too
  /// large.
  static std::optional<Exchange> accept(int listen_fd, std::size_t body_limit);

  Exchange(Exchange&&) noexcept;
  Exchange& operator=(Exchange&&) noexcept;
  ~Exchange();  ///< ends the request and closes the connection

  const http::Request& request() const noexcept;

  /// Writes the whole response. A peer that has gone is no error.
  void write(const http::Response& response);

 private:
  struct Impl;
  explicit Exchange(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A connection whose request has been read and that belongs to an event loop now: non-blocking, written with
/// records.h.
struct Detached {
  UniqueFd fd;
  http::Request request;
};

enum class Arrival {
  kComplete,    ///< a whole request without body is in the socket's buffer
  kIncomplete,  ///< more must come
  kBad,         ///< not FastCGI, larger than 16 KiB, or the peer has gone: close it
};

/// Looks, without reading and without waiting, whether libfcgi could read a whole request from `fd` at once.
/// Streams are GETs: their body is empty.
Arrival peek_request(int fd);

/// Reads the request, which must have arrived (peek_request said kComplete), and detaches the connection from
/// libfcgi. Nothing where it is no request after all.
std::optional<Detached> detach_request(UniqueFd fd);

}  // namespace gp::fcgi
